"""What a file may differ from torch by, and that nothing slips through."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cvqe.errors import ModelError
from cvqe.manifest import Manifest
from export.exporter import build_model
from export.verify import Verification, _loss_db, _refuse_beyond_tolerance, _Trial, verify

MANIFEST = Manifest("tiny", {}, 1, (37,), 8, "fp32", 28, "ab12", "2026-01-31", "0.1.0")


class Tiny(nn.Module):
    """One convolution over three frames, added to the target."""

    radius = 1

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, window: Tensor) -> Tensor:
        return window[:, 1:2] + 0.01 * self.conv(window)


def test_a_picture_of_a_few_pixels_does_not_decide_about_the_loss():
    large, tiny = _Trial(0, 0, torch_error=4.0, file_error=4.002), _Trial(0, 0, torch_error=0.002, file_error=0.004)
    assert _loss_db([tiny]) == pytest.approx(3.01, abs=0.01)
    assert _loss_db([large, tiny]) == pytest.approx(10 * math.log10(4.006 / 4.002), rel=1e-6)
    assert _loss_db([_Trial(0, 0, 1.0, 0.9)]) == 0  # a gain is no loss


@pytest.mark.parametrize(
    "found, precision",
    [
        (Verification(1e-3, 0, 0.0), "fp32"),
        (Verification(3e-3, 0, 0.0), "fp16"),
        (Verification(0.0, 2, 0.0), "fp32"),
        (Verification(0.0, 0, 0.011), "fp16"),
        (Verification(math.nan, 0, math.nan), "fp32"),
    ],
)
def test_whatever_is_beyond_its_tolerance_is_refused(found, precision):
    _refuse_beyond_tolerance(Verification(0.0, 0, 0.0), precision)
    with pytest.raises(ModelError, match="Nothing was written"):
        _refuse_beyond_tolerance(found, precision)


def test_a_network_that_gives_nan_is_refused_with_our_words():
    network = Tiny().eval()
    model = build_model(network, MANIFEST)
    assert verify(model, network, MANIFEST).largest_error < 1e-6
    with torch.no_grad():
        network.conv.bias.fill_(math.nan)
    with pytest.raises(ModelError, match=r"nan of the range.*Nothing was written"):
        verify(model, network, MANIFEST)


class Told(Tiny):
    """Heeds its QP and its guide, or not."""

    takes_qp = takes_guide = True

    def __init__(self, heeds_qp: bool = True, heeds_guide: bool = True) -> None:
        super().__init__()
        self.heeds_qp, self.heeds_guide = heeds_qp, heeds_guide

    def forward(self, window: Tensor, qp: Tensor, guide: Tensor) -> Tensor:
        qp, guide = qp if self.heeds_qp else 32 + 0 * qp, guide if self.heeds_guide else window[:, 1:2] + 0 * guide
        return super().forward(window) + 0.001 * qp[:, None, None, None] + 0.1 * guide


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("heeds_qp, heeds_guide", [(True, True), (False, True), (True, False)])
def test_a_file_that_ignores_its_qp_or_its_guide_is_refused(bit_depth, heeds_qp, heeds_guide):
    torch.manual_seed(0)
    manifest = replace(MANIFEST, qp=(22, 37), takes_qp=True, takes_guide=True, bit_depth=bit_depth)
    network = Told()
    exported = Told(heeds_qp, heeds_guide)
    exported.load_state_dict(network.state_dict())
    model = build_model(exported, manifest)
    if heeds_qp and heeds_guide:
        assert verify(model, network, manifest).largest_error < 1e-6
        return
    with pytest.raises(ModelError, match="Nothing was written"):
        verify(model, network, manifest)


class Recurrent(Tiny):
    """Adds a share of what it left behind, or does not, or leaves something else behind."""

    hidden_channels = 2

    def __init__(self, heeds: bool = True, keeps: float = 1.0) -> None:
        super().__init__()
        self.heeds, self.keeps = heeds, keeps

    def forward(self, window: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        heard = hidden if self.heeds else 0 * hidden
        enhanced = super().forward(window) + 0.1 * heard[:, :1]
        return enhanced, self.keeps * torch.cat([enhanced, heard[:, :1]], 1)


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("heeds, keeps", [(True, 1.0), (False, 1.0), (True, 0.5)])
def test_a_recurrent_file_that_forgets_or_remembers_wrongly_is_refused(bit_depth, heeds, keeps):
    torch.manual_seed(0)
    manifest = replace(MANIFEST, hidden_channels=2, bit_depth=bit_depth)
    network, exported = Recurrent(), Recurrent(heeds, keeps)
    exported.load_state_dict(network.state_dict())
    model = build_model(exported, manifest)
    if heeds and keeps == 1.0:
        assert verify(model, network, manifest).largest_error < 1e-6
        return
    with pytest.raises(ModelError, match="Nothing was written"):
        verify(model, network, manifest)
