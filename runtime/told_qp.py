"""Which quantiser the network is told for each frame, also where nobody knows it."""

import logging
import math

from cvqe.frame import Frame
from cvqe.manifest import Manifest
from runtime.counted_frames import counted_frames

log = logging.getLogger(__name__)


class ToldQp:
    """Gives a network its QPs, frame by frame in the order of showing.

    --qp N: N for every frame. auto: the frame's own, as its bitstream tells it; where that is unknown, the last one
    known; before any is, halfway between the lowest and the highest that the network was trained on.

    Attributes:
        n_unknown: frames so far whose QP was made up; the first one is logged as a warning.
        n_changes: frames so far that were known to be coded at another QP than the one before.
    """

    def __init__(self, manifest: Manifest, asked: float | None = None) -> None:
        self.n_unknown = self.n_changes = 0
        self._manifest = manifest
        self._asked = asked
        self._last_known: float | None = None
        self._lowest, self._highest = math.inf, -math.inf

    def of(self, frame: Frame) -> float | None:
        """Return what to tell with this frame; None to a network that takes no QP."""
        if not self._manifest.takes_qp:
            return None
        if self._asked is not None:
            return self._asked
        return self._made_up(frame) if frame.qp is None else self._known(frame.qp)

    @property
    def found(self) -> str | None:
        """Where the QPs came from and which they were, None where none was needed: "QP 34 to 40, as the input says"."""
        if not self._manifest.takes_qp:
            return None
        if self._asked is not None:
            return f"QP {self._asked:g}, as asked for"
        if self._last_known is None:
            return f"QP {self._manifest.middle_qp:g}, a guess"
        span = sorted({f"{self._lowest:.3g}", f"{self._highest:.3g}"}, key=float)
        changes = f", {self.n_changes} change{'s' * (self.n_changes > 1)}" if self.n_changes else ""
        return f"QP {' to '.join(span)}{changes}, as the input says"

    @property
    def note(self) -> str | None:
        """A sentence about the QPs that were made up, None where none was."""
        if not self.n_unknown:
            return None
        return (
            f"the QP of {counted_frames(self.n_unknown)} is not known; {self._manifest.network} was told the last "
            f"one known, or QP {self._manifest.middle_qp:g} where none was (--qp N says it)"
        )

    def _known(self, qp: float) -> float:
        self.n_changes += self._last_known not in (None, qp)
        self._last_known = qp
        self._lowest, self._highest = min(self._lowest, qp), max(self._highest, qp)
        return qp

    def _made_up(self, frame: Frame) -> float:
        qp = self._manifest.middle_qp if self._last_known is None else self._last_known
        if not self.n_unknown:
            log.warning(
                "frame %d does not tell the QP it was coded at; %s is told %g instead (the last one known, else a "
                "middle one), and so with all such frames. To say it:  --qp N",
                frame.number,
                self._manifest.network,
                qp,
            )
        self.n_unknown += 1
        return qp
