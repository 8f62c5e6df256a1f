import math

import pytest
import torch

from training.losses import charbonnier, frame_relative, log_mse, mse

PRISTINE = torch.zeros(2, 1, 4, 4)
OFF = torch.tensor([2 / 255, 4 / 255]).view(2, 1, 1, 1).expand(2, 1, 4, 4)  # two and four levels
FRAME_MSE = torch.tensor([4.0, 32.0])


def test_frame_relative_is_one_where_a_patch_errs_as_its_frame():
    assert frame_relative(OFF, PRISTINE, FRAME_MSE).item() == pytest.approx((4 / 4 + 16 / 32) / 2, rel=1e-5)


def test_frame_relative_is_the_slope_of_the_frames_psnr():
    # a frame of one patch: a small change of the loss is that of PSNR times -ln(10) / 10
    enhanced = OFF[:1].clone().requires_grad_()
    frame_relative(enhanced, PRISTINE[:1], FRAME_MSE[:1]).backward()
    relative = enhanced.grad.clone()
    enhanced.grad = None
    (-10 * torch.log10(((enhanced - PRISTINE[:1]) ** 2).mean())).backward()
    torch.testing.assert_close(enhanced.grad, -relative * 10 / math.log(10))


def test_the_other_losses_are_their_equations():
    a, b = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.5])
    assert charbonnier(a, b).item() == pytest.approx((1e-3 + (0.25 + 1e-6) ** 0.5) / 2)
    assert mse(a, b).item() == pytest.approx(0.125)
    expected = sum(math.log10((level / 255) ** 2 + 1e-6) for level in (2, 4)) / 2
    assert log_mse(OFF, PRISTINE).item() == pytest.approx(expected, rel=1e-4)
