"""The torch ends against the ONNX ends of the same network."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from cvqe.layers.pixel_ends import PixelEnds
from cvqe.pixels import with_pixel_ends
from export.graph import float_graph


class Blend(nn.Module):
    """Reaches below 0 and above 1, and lands between levels, never halfway: there either side would be right."""

    radius = 1

    def forward(self, window: Tensor) -> Tensor:
        return 1.4 * window[:, 1:2] - 0.4 * window[:, :1]


@pytest.fixture(scope="module")
def blend_graph() -> onnx.ModelProto:
    return float_graph(Blend())


@pytest.fixture(scope="module")
def guided_graph() -> onnx.ModelProto:
    return float_graph(Guided())


def as_levels(pixels: np.ndarray, stored: int) -> np.ndarray:
    return pixels.astype(int) if stored == 8 else pixels[..., 0] + 256 * pixels[..., 1].astype(int)


class Guided(nn.Module):
    """Blends the target with its guide, and adds a share of the QP."""

    radius = 1
    takes_qp = takes_guide = True

    def forward(self, window: Tensor, qp: Tensor, guide: Tensor) -> Tensor:
        return 0.7 * window[:, 1:2] + 0.3 * guide + 0.0001 * qp[:, None, None, None]


@pytest.mark.parametrize("bit_depth", [8, 10, 12])
def test_they_give_what_the_exported_graph_gives(blend_graph, bit_depth):
    random = np.random.default_rng(0)
    stored = 8 if bit_depth == 8 else 16
    levels = random.integers(0, 2**bit_depth, (1, 3, 9, 14))
    window = levels.astype(np.uint8) if stored == 8 else levels.astype("<u2")[..., None].view(np.uint8)
    model = with_pixel_ends(blend_graph, stored, 3)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"window": window} | ({} if stored == 8 else {"peak": np.array(2**bit_depth - 1, np.float32)})
    expected, expected_mean = session.run(["enhanced", "enhanced_mean"], feeds)
    enhanced, mean = PixelEnds(Blend(), bit_depth)(torch.from_numpy(window))
    assert enhanced.shape == expected.shape
    apart = np.abs(as_levels(enhanced.numpy(), stored) - as_levels(expected, stored))
    assert apart.max() <= 1  # one divides by the peak, the other multiplies
    assert (apart > 0).mean() < 0.001
    assert float(mean) == pytest.approx(float(expected_mean), abs=1e-6)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("is_exchanged", [False, True])
def test_a_guide_is_in_the_levels_of_the_samples_also_when_the_depth_is_exchanged(
    guided_graph, bit_depth, is_exchanged
):
    stored, other = (8, 16) if bit_depth == 8 else (16, 8)
    core = with_pixel_ends(guided_graph, other, 3) if is_exchanged else guided_graph
    model = with_pixel_ends(core, stored, 3)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["window", *["peak"] * (stored == 16), "qp", "guide"]
    random, peak = np.random.default_rng(0), 2**bit_depth - 1
    levels = random.integers(0, peak + 1, (1, 3, 9, 14))
    guide = random.uniform(0, peak, (1, 1, 9, 14)).astype(np.float32)
    window = levels.astype(np.uint8) if stored == 8 else levels.astype("<u2")[..., None].view(np.uint8)
    qp = np.array([37], np.float32)
    feeds = {"window": window, "qp": qp, "guide": guide}
    feeds |= {} if stored == 8 else {"peak": np.array(peak, np.float32)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (enhanced,) = session.run(["enhanced"], feeds)
    expected = np.clip(0.7 * levels[:, 1:2] + 0.3 * guide + 0.0037 * peak, 0, peak)
    assert np.abs(as_levels(enhanced, stored) - expected).max() < 0.51  # of rounding a half
    by_torch, _ = PixelEnds(Guided(), bit_depth)(*map(torch.from_numpy, (window, qp, guide)))
    assert np.abs(as_levels(by_torch.numpy(), stored) - expected).max() < 0.51


def test_a_nan_shows_in_the_mean_and_not_as_a_wild_byte():
    class Broken(nn.Module):
        def forward(self, window: Tensor) -> Tensor:
            return window[:, 1:2] / 0

    enhanced, mean = PixelEnds(Broken())(torch.zeros(1, 3, 2, 2, dtype=torch.uint8))
    assert not torch.isfinite(mean)
    assert (enhanced == 0).all()


class Recurrent(nn.Module):
    """Takes all there is, and leaves half of what it was left behind, and the target."""

    radius = 1
    takes_qp = takes_guide = True
    hidden_channels = 1

    def forward(self, window: Tensor, qp: Tensor, guide: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return 0.5 * guide + 0.5 * hidden + 0 * qp[:, None, None, None], 0.5 * hidden + 0.5 * window[:, 1:2]


def test_a_hidden_state_goes_in_last_and_comes_out_last_as_it_is():
    window, guide = torch.randint(0, 256, (1, 3, 4, 5), dtype=torch.uint8), 255 * torch.rand(1, 1, 4, 5)
    hidden = torch.rand(1, 1, 4, 5)
    enhanced, mean, left = PixelEnds(Recurrent())(window, torch.tensor([37.0]), guide, hidden)
    torch.testing.assert_close(left, 0.5 * hidden + 0.5 * window[:, 1:2] / 255)
    assert (enhanced - (0.5 * guide + 127.5 * hidden)).abs().max() < 0.501
    assert torch.isfinite(mean)
