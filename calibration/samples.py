"""Windows of real decoded frames beside their originals: what calibration observes, and what a loss is measured on."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError, UsageError
from cvqe.frame import Frame, Luma
from cvqe.manifest import GUIDE, QP, WINDOW, Manifest
from runtime.engine import Guide
from runtime.guides import Guides
from training.evaluation.cases import Case
from training.evaluation.luma_clip import open_luma, refuse_other_format
from training.evaluation.sliding_window import sliding_windows


@dataclass(frozen=True)
class Sample:
    """One window of a coded clip, and its target as it was before coding.

    Attributes:
        configuration, qp: what the clip was coded with; qp is that of the whole clip.
        frame: the target's number in the clip, from 0.
        window: decoded luma, uint8 [2R+1, H, W].
        pristine: the target's original luma, uint8 [H, W].
        frame_qp: the target's own QP where the bitstream tells it, else the clip's.
        guide: the target's guided map, float32 [H, W] in levels; None for a network that takes none.
    """

    clip: str
    configuration: str
    qp: int
    frame: int
    window: Luma
    pristine: Luma
    frame_qp: float
    guide: Guide | None

    @property
    def decoded(self) -> Luma:
        """The target as it was decoded, uint8 [H, W]."""
        target: Luma = self.window[len(self.window) // 2]
        return target


def read_samples(case: Case, frames: Collection[int], manifest: Manifest) -> Iterator[Sample]:
    """Yield a coded clip's windows around these targets, in the order of the clip.

    Args:
        frames: numbers of the targets, from 0.
        manifest: of the network that the windows are for: its radius, its neighbors, whether it takes a guide.

    Raises:
        InputError: the clip can't be read, has not 8 bits a sample, is not its original's size, or ends too early.
        UsageError: nothing says the clip's QP.
    """
    if case.qp is None:
        raise UsageError(f"nothing says the QP of {case.coded}; give folders:  --clips CLIPS --coded CODED")
    needed = max(frames) + 1 + manifest.reach
    with (
        open_luma(case.pristine, needed) as pristine,
        open_luma(case.coded, needed, with_partitions=manifest.takes_guide) as coded,
    ):
        refuse_other_format(coded, pristine)
        if coded.bit_depth != 8:
            raise InputError(f"{case.coded} has {coded.bit_depth} bits a sample; calibration reads 8-bit clips.")
        guides = Guides(manifest.network, coded.partition_obstacle) if manifest.takes_guide else None
        windows = sliding_windows(coded.frames, manifest.radius, manifest.neighbors)
        left = set(frames)
        for original, window in zip(pristine.frames, windows, strict=False):  # the last windows are not needed
            if window.target.number not in left:
                continue
            left.remove(window.target.number)
            guide = guides.of(window.target) if guides else None
            yield _sample(case, case.qp, window.target, window.frames, original, guide)
    if left:
        raise InputError(
            f"{case.pristine} or {case.coded} ends before frame {min(left)}, which was to be read; code it again."
        )


def _sample(case: Case, qp: int, target: Frame, window: Luma, original: Frame, guide: Guide | None) -> Sample:
    told = target.qp
    return Sample(
        clip=case.clip,
        configuration=case.configuration,
        qp=qp,
        frame=target.number,
        window=window,
        pristine=original.luma.copy(),  # a view would keep the whole picture
        frame_qp=float(qp if told is None else told),
        guide=guide,
    )


def feeds(sample: Sample, manifest: Manifest) -> dict[str, NDArray[Any]]:
    """Return what an ONNX session of the network's 8-bit file is fed for a sample."""
    inputs: dict[str, NDArray[Any]] = {WINDOW: sample.window[None]}
    if manifest.takes_qp:
        inputs[QP] = np.array([manifest.trained_qp(sample.frame_qp)], np.float32)
    if manifest.takes_guide:
        assert sample.guide is not None, "the samples were read for another network"
        inputs[GUIDE] = sample.guide[None, None]
    return inputs
