import threading
import time

from runtime.reconnect import BackOff


class Recorded(threading.Event):
    """Never waits, and remembers how long it should have."""

    def __init__(self):
        super().__init__()
        self.waits_s = []

    def wait(self, timeout=None):
        self.waits_s.append(round(timeout, 2))
        return self.is_set()


def test_waits_double_up_to_eight_seconds():
    stopped = Recorded()
    back_off = BackOff(1000, stopped)
    assert all(back_off.wait() for _ in range(7))
    assert stopped.waits_s == [0.5, 1, 2, 4, 8, 8, 8]


def test_a_frame_begins_it_anew():
    stopped = Recorded()
    back_off = BackOff(1000, stopped)
    back_off.wait()
    back_off.frame_came()
    back_off.wait()
    assert stopped.waits_s == [0.5, 0.5]


def test_it_gives_up_when_there_was_no_frame_for_so_long():
    back_off, start = BackOff(0.6, threading.Event()), time.monotonic()
    assert back_off.wait()
    assert not back_off.wait()
    assert 0.6 <= time.monotonic() - start < 2
    assert back_off.left_s <= 0


def test_to_stop_ends_the_wait():
    stopped = threading.Event()
    stopped.set()
    assert not BackOff(1000, stopped).wait()
