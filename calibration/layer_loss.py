"""What each convolution costs alone: the PSNR lost when only that one is rounded, those that never are among them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.activations import Tap
from calibration.folded import folded_model
from calibration.layer_titles import layer_titles
from calibration.placement import Role, roles_of
from calibration.quantiser import QuantiserOptions, prepare
from calibration.samples import Sample, feeds
from cvqe.manifest import Manifest
from cvqe.metrics import psnr_db
from cvqe.pixels import FLOAT_LUMA

PEAK = 255.0


@dataclass(frozen=True)
class LayerLoss:
    """One convolution: dB lost in the mean over windows, and over those of the clip that loses most.

    Attributes:
        title: what the network calls it.
        role: what keeps it in high precision, "" where nothing does.
        output: the tensor it gives.
    """

    layer: str
    title: str
    role: str
    output: str
    mean_loss_db: float
    worst_loss_db: float
    worst_clip: str


def layer_losses(
    model: onnx.ModelProto,
    manifest: Manifest,
    calibrated_on: Sequence[Sample],
    judged_on: Sequence[Sample],
    options: QuantiserOptions,
) -> Iterator[LayerLoss]:
    """Yield every convolution's loss, in the graph's order; before luma is rounded to levels, which would hide it.

    Args:
        model: as exported, in float32.
        options: how it is rounded; roles are not heeded.
    """
    roles, titles = roles_of(folded_model(model)), layer_titles(model)
    fed = [feeds(sample, manifest) for sample in calibrated_on]
    prepared = prepare(model, fed, replace(options, also=tuple(Role), keep=()))
    outputs = {node.name: node.output[0] for node in model.graph.node}
    exact = _psnrs_db(prepared.base, manifest, judged_on)
    for name, role in roles.items():
        rounded = _psnrs_db(prepared.quantised([name]), manifest, judged_on)
        lost = exact - rounded
        of_clip = {
            clip: fmean(lost[[sample.clip == clip for sample in judged_on]])
            for clip in sorted({sample.clip for sample in judged_on})
        }
        worst = max(of_clip, key=lambda clip: of_clip[clip])
        role_name = role.name.lower() if role else ""
        mean = float(lost.mean())
        yield LayerLoss(name, titles[name], role_name, outputs[name], mean, of_clip[worst], worst)


def _psnrs_db(model: onnx.ModelProto, manifest: Manifest, samples: Sequence[Sample]) -> NDArray[np.float64]:
    tap = Tap(model, [FLOAT_LUMA])
    return np.array([psnr_db(sample.pristine, PEAK * tap(feeds(sample, manifest))[0][0, 0]) for sample in samples])
