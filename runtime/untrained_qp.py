"""Frames that were coded at another QP than a network was trained for: a choice by the first frames may not last."""

from cvqe.frame import Frame
from cvqe.manifest import Manifest
from runtime.counted_frames import counted_frames

# coders that are told one QP code pictures around it: x265 its I frames 3 finer, HM those of low levels up to 6 coarser
USUAL_SPREAD = 6


class UntrainedQp:
    """Counts such frames in a video.

    Attributes:
        n_frames: frames so far, of those whose QP is known, that are more than USUAL_SPREAD outside.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.n_frames = 0
        self._manifest = manifest
        self._found: list[float] = []  # the lowest and the highest

    def see(self, frame: Frame) -> None:
        """Take note of the next frame."""
        trained = self._manifest.qp
        if frame.qp is None or not trained:
            return
        if not min(trained) - USUAL_SPREAD <= frame.qp <= max(trained) + USUAL_SPREAD:
            self.n_frames += 1
            self._found = [min([frame.qp, *self._found]), max([frame.qp, *self._found])]

    @property
    def note(self) -> str | None:
        """A sentence about these frames, None where there is none."""
        if not self.n_frames:
            return None
        return (
            f"QP {qp_span(self._found)} is that of {counted_frames(self.n_frames)}, and {self._manifest.network} was "
            f"trained for QP {qp_span(self._manifest.qp)}: it may gain less there, or lose"
        )


def qp_span(qps: "list[float] | tuple[int, ...]") -> str:
    """Spell the lowest and the highest: "37", "22 to 42"."""
    return " to ".join(sorted({f"{min(qps):.3g}", f"{max(qps):.3g}"}, key=float))
