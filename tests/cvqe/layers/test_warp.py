import pytest
import torch

from cvqe.errors import ShapeError
from cvqe.layers import sampling
from cvqe.layers.deform_conv import deform_conv2d
from cvqe.layers.warp import warp

ATOL = 2e-6  # values are near 1; the same float32 samples, times 1 plus zeros in one of the two
BF16_RTOL = 2**-8  # one rounding of the result, half a bfloat16 step


def random_inputs(groups, height, width, displacement_px=2.0, n=2, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    planes = torch.rand((n, groups, height, width), generator=generator, dtype=torch.float64)
    displacement = torch.randn((n, 2 * groups, height, width), generator=generator, dtype=torch.float64)
    return planes.to(dtype), (displacement_px * displacement).to(dtype)


def convolved(planes, displacement):
    """Return the same from the convolution: one tap, the identity between planes, a mask of ones."""
    groups = planes.shape[1]
    weight = torch.eye(groups, dtype=planes.dtype)[:, :, None, None]
    return deform_conv2d(planes, displacement, torch.ones_like(planes), weight, planes.new_zeros(groups))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("height, width", [(17, 31), (1, 9), (9, 1), (1, 1)])
@pytest.mark.parametrize("displacement_px", [0.0, 2.0, 30.0])  # 30 px leaves most of these pictures
def test_it_is_the_deformable_convolution_with_an_identity(groups, height, width, displacement_px):
    inputs = random_inputs(groups, height, width, displacement_px)
    torch.testing.assert_close(warp(*inputs), convolved(*inputs), atol=ATOL, rtol=0)


def test_every_plane_has_a_displacement_of_its_own_dy_first():
    planes = torch.arange(40.0).view(1, 2, 4, 5)
    displacement = torch.tensor([1.0, -2.0, 0.0, 0.5]).view(1, 4, 1, 1).expand(1, 4, 4, 5)
    warped = warp(planes, displacement)
    torch.testing.assert_close(warped[0, 0, :3, 2:], planes[0, 0, 1:, :3], atol=1e-4, rtol=0)
    assert warped[0, 0, 3].abs().max() == 0
    assert warped[0, 0, :, :2].abs().max() == 0
    torch.testing.assert_close(warped[0, 1, :, :4], planes[0, 1, :, :4] + 0.5, atol=1e-4, rtol=0)


@pytest.mark.parametrize("strip_floats", [1, 100, 2**22])  # one row, some rows or pictures, everything at once
@pytest.mark.parametrize("height, width", [(3, 4), (1, 4), (5, 1)])
def test_gradients_are_those_of_finite_differences(monkeypatch, strip_floats, height, width):
    monkeypatch.setattr(sampling, "STRIP_FLOATS", strip_floats)
    inputs = random_inputs(2, height, width, 0.3, n=3, dtype=torch.float64)
    torch.autograd.gradcheck(warp, [i.requires_grad_() for i in inputs], fast_mode=True)


def test_gradients_are_those_of_the_convolution():
    inputs = [i.requires_grad_() for i in random_inputs(3, 9, 10)]
    grads = [torch.autograd.grad(f(*inputs).square().sum(), inputs) for f in (warp, convolved)]
    torch.testing.assert_close(grads[0], grads[1], atol=1e-5, rtol=1e-5)


def test_planes_without_gradient_are_left_out_of_the_backward_pass():
    planes, displacement = random_inputs(2, 5, 6)
    warp(planes, displacement.requires_grad_()).sum().backward()
    assert planes.grad is None
    assert displacement.grad is not None


def test_bfloat16_autocast_keeps_coordinates_in_float32():
    planes, displacement = random_inputs(2, 4, 400)
    displacement = displacement.bfloat16()  # what a convolution under autocast hands over
    exact = warp(planes.double(), displacement.double())
    with torch.autocast("cpu", torch.bfloat16):
        wide, narrow = warp(planes, displacement), warp(planes.bfloat16(), displacement)
    assert (wide.dtype, narrow.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(wide.double(), exact, atol=1e-4, rtol=0)
    torch.testing.assert_close(narrow.double(), exact, atol=1e-4, rtol=2 * BF16_RTOL)  # the planes are rounded too


@pytest.mark.parametrize("far", [1e4, 1e30, float("inf")])
@pytest.mark.parametrize("sign", [-1, 1])
def test_far_displacements_read_zero(far, sign):
    planes, displacement = random_inputs(2, 6, 7)
    inputs = [planes.requires_grad_(), torch.full_like(displacement, sign * far).requires_grad_()]
    warped = warp(*inputs)
    assert warped.abs().max() == 0
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(warped.sum(), inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_op_keeps_the_promises_made_to_torch(dtype):
    inputs = [i.requires_grad_() for i in random_inputs(2, 5, 6, dtype=dtype)]
    torch.library.opcheck(torch.ops.cvqe.warp.default, inputs)


@pytest.mark.parametrize("planes, displacement", [((2, 5, 6), (4, 5, 6)), ((1, 2, 5, 6), (1, 3, 5, 6))])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_shapes_that_do_not_fit_are_refused_with_their_numbers(planes, displacement, device):
    with pytest.raises(ShapeError, match=r"got \[.*5, 6\] and \[.*5, 6\]"):
        warp(torch.zeros(planes, device=device), torch.zeros(displacement, device=device))
