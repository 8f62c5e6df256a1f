"""The torch ends against the ONNX ends of the same network."""

import numpy as np
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


def as_levels(pixels: np.ndarray, stored: int) -> np.ndarray:
    return pixels.astype(int) if stored == 8 else pixels[..., 0] + 256 * pixels[..., 1].astype(int)


@pytest.mark.parametrize("bit_depth", [8, 10, 12])
def test_they_give_what_the_exported_graph_gives(bit_depth):
    random = np.random.default_rng(0)
    stored = 8 if bit_depth == 8 else 16
    levels = random.integers(0, 2**bit_depth, (1, 3, 9, 14))
    window = levels.astype(np.uint8) if stored == 8 else levels.astype("<u2")[..., None].view(np.uint8)
    model = with_pixel_ends(float_graph(Blend()), stored, 3)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"window": window} | ({} if stored == 8 else {"peak": np.array(2**bit_depth - 1, np.float32)})
    expected, expected_mean = session.run(["enhanced", "enhanced_mean"], feeds)
    enhanced, mean = PixelEnds(Blend(), bit_depth)(torch.from_numpy(window))
    assert enhanced.shape == expected.shape
    apart = np.abs(as_levels(enhanced.numpy(), stored) - as_levels(expected, stored))
    assert apart.max() <= 1  # one divides by the peak, the other multiplies
    assert (apart > 0).mean() < 0.001
    assert float(mean) == pytest.approx(float(expected_mean), abs=1e-6)


def test_a_nan_shows_in_the_mean_and_not_as_a_wild_byte():
    class Broken(nn.Module):
        def forward(self, window: Tensor) -> Tensor:
            return window[:, 1:2] / 0

    enhanced, mean = PixelEnds(Broken())(torch.zeros(1, 3, 2, 2, dtype=torch.uint8))
    assert not torch.isfinite(mean)
    assert (enhanced == 0).all()
