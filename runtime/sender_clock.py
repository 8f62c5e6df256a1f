"""When frames of a live source were due: what waits unread in a socket is old already.

offset of a frame = when its packet was read - its time stamp
clock = the least offset there was; a frame that was read later than that had to wait
"""

from cvqe.frame import Frame

DRIFT = 1e-4  # a sender's clock may run slower than ours by this share: the least offset grows so fast at most


class SenderClock:
    """One sender's clock, on ours; begins anew behind a gap."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._seen_s = 0.0

    def due_s(self, frame: Frame) -> float:
        """Return when the frame's packet could have been read at the latest, by time.monotonic(); frames in order."""
        offset_s = frame.arrived_s - frame.pts_s
        if self._offset_s is not None and not frame.follows_gap:
            offset_s = min(offset_s, self._offset_s + DRIFT * max(0.0, frame.arrived_s - self._seen_s))
        self._offset_s, self._seen_s = offset_s, frame.arrived_s
        return frame.pts_s + offset_s
