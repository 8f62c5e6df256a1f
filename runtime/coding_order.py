"""Where each frame stands in its coder's pattern of quantisers, which starts over with every IDR picture."""

from cvqe.frame import Frame


class CodingOrder:
    """Follows a video frame by frame, in the order of showing."""

    def __init__(self) -> None:
        self._start = 0  # number of the frame that the pattern began at

    def count(self, frame: Frame) -> int:
        """Count the pictures from the last IDR picture to this one, those that were lost on the way included.

        Its partition tells it; where there is none it is one after that of the frame before, and 0 for the first.
        """
        if frame.partition is not None:
            self._start = frame.number - frame.partition.order_count
        return frame.number - self._start
