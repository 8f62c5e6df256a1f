"""VMAF and VMAF-NEG of a clip, frame after frame, by vmaf-torch.

VMAF rewards sharpening beyond the original, VMAF-NEG does not (Li et al., 2020): an enhancer is judged by the second.
Scores are of Netflix's model v0.6.1, clipped to 0..100 as libvmaf's are.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import BackendError, InputError

MIN_SIDE_PX = 32  # below, the fourth scale of its wavelets is no picture any more
INSTALL = "pip install -c constraints.txt vmaf-torch"


def refuse_missing_vmaf() -> None:
    """Check that VMAF can be measured, before anything else is.

    Raises:
        BackendError: vmaf-torch or torch is not installed.
    """
    _library()


class VmafScores:
    """Features of a clip's frames, seen in order, and the scores they make in the end."""

    def __init__(self) -> None:
        """Load both models.

        Raises:
            BackendError: vmaf-torch or torch is not installed.
        """
        self._torch, library = import_module("torch"), _library()
        self._models = [library.VMAF(NEG=is_neg, clip_score=True) for is_neg in (False, True)]
        self._features: list[list[Any]] = [[], []]  # a model each: [1, 5] a frame, detail loss and four scales of VIF
        self._motions: list[float] = []
        self._before: Any = None

    def see(self, pristine: NDArray[Any], shown: NDArray[Any], peak: float) -> None:
        """Look at the next frame, two luma planes [H, W] in levels of 0..peak.

        Raises:
            InputError: the frame is smaller than 32x32.
        """
        if min(pristine.shape) < MIN_SIDE_PX:
            raise InputError(f"VMAF needs frames of {MIN_SIDE_PX}x{MIN_SIDE_PX} at least, not {pristine.shape[::-1]}.")
        with self._torch.inference_mode():
            reference, distorted = (self._tensor(plane, peak) for plane in (pristine, shown))
            self._motions.append(self._motion(reference))
            for model, features in zip(self._models, self._features, strict=True):
                detail = model.compute_adm_score(reference, distorted).reshape(1, 1)
                features.append((detail, model.compute_vif_features(reference, distorted)))

    def scores(self) -> tuple[list[float], list[float]]:
        """Return VMAF and VMAF-NEG of every frame seen."""
        motion = self._torch.tensor(calmer_side(self._motions)).reshape(-1, 1)
        both = []
        with self._torch.inference_mode():
            for model, features in zip(self._models, self._features, strict=True):
                details, scales = (self._torch.cat(part) for part in zip(*features, strict=True))
                both.append([float(score) for score in model.predict(details, motion, scales)])
        return both[0], both[1]

    def _tensor(self, plane: NDArray[Any], peak: float) -> Any:
        """Return [1, 1, H, W] float32 in 0..255."""
        return self._torch.from_numpy(plane.astype(np.float32) * np.float32(255 / peak))[None, None]

    def _motion(self, reference: Any) -> float:
        """Return how far a frame's blurred original is from the one before."""
        pair = self._torch.cat([reference if self._before is None else self._before, reference])
        self._before = reference
        return float(self._models[0].compute_motion(pair)[1])


def calmer_side(motions: Sequence[float]) -> list[float]:
    """Return VMAF's "motion2": of a frame's changes from the last and to the next one the smaller; 0 at first."""
    if not motions:
        return []
    following = [*motions[1:], motions[-1]]
    return [0.0, *(min(pair) for pair in zip(motions[1:], following[1:], strict=True))]


def _library() -> Any:
    try:
        return import_module("vmaf_torch")
    except ImportError as error:
        raise BackendError(
            f"{error.name or 'vmaf_torch'} is not installed, so --vmaf can't be measured.\nInstall it:  {INSTALL}"
        ) from error
