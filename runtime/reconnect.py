"""When to try again to reach a sender, and when to give up."""

import threading
import time

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 8.0


class BackOff:
    """Waits 0.5, 1, 2, 4, 8, 8, ... seconds between tries, until give_up_s after the sender was lost.

    `stopped`, once set, ends every wait.
    """

    def __init__(self, give_up_s: float, stopped: threading.Event) -> None:
        self.give_up_s = give_up_s
        self._stopped = stopped
        self.frame_came()

    def frame_came(self) -> None:
        """Begin anew: the sender is there."""
        self._wait_s = FIRST_WAIT_S
        self._lost_s: float | None = None

    @property
    def left_s(self) -> float:
        """Seconds until it is time to give up, 0 or less when it is."""
        if self._lost_s is None:
            self._lost_s = time.monotonic()
        return self._lost_s + self.give_up_s - time.monotonic()

    def wait(self) -> bool:
        """Wait before the next try; False: there shall be none."""
        is_stopped = self._stopped.wait(max(0.0, min(self._wait_s, self.left_s)))
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        return not is_stopped and self.left_s > 0
