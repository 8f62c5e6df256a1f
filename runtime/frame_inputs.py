"""What a network is given with each frame besides its window, and what the summary says of it."""

from collections.abc import Callable

from cvqe.frame import Frame
from cvqe.manifest import Manifest
from runtime.decoder import Source
from runtime.engine import Guide
from runtime.guides import Guides
from runtime.summary import Summary
from runtime.told_qp import ToldQp
from runtime.untrained_qp import UntrainedQp


class FrameInputs:
    """The QPs and guides of one run, each in the order of showing."""

    def __init__(self, manifest: Manifest, source: Source, asked_qp: int | None = None) -> None:
        self._told_qp = ToldQp(manifest, asked_qp)
        # who asks for a QP knows what the input's are
        self._untrained_qp = UntrainedQp(manifest) if asked_qp is None else None
        self._guides = Guides(manifest.network, source.partition_obstacle) if manifest.takes_guide else None

    def qp_of(self, frame: Frame) -> float | None:
        """Return the QP to tell the network with a frame; None to one that takes none."""
        if self._untrained_qp:
            self._untrained_qp.see(frame)
        return self._told_qp.of(frame)

    @property
    def guide_of(self) -> Callable[[Frame], Guide] | None:
        """What makes a frame's guide; None for a network that takes none."""
        return self._guides.of if self._guides else None

    def tell(self, summary: Summary) -> None:
        """Put what was found into the summary, after the last frame."""
        notes = [self._told_qp.note, self._untrained_qp.note if self._untrained_qp else None]
        summary.notes += [note for note in notes if note]
        summary.qp = self._told_qp.found
        if self._guides:
            summary.guide, summary.frames_guided = self._guides.found, self._guides.counts
