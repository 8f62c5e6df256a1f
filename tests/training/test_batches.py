import time

import numpy as np
import pytest

from training.batches import Batch, Prefetcher


class Counting:
    """Batches that carry their step, each a little work."""

    def __init__(self, fails_at=None, work_s=0.0):
        self.fails_at, self.work_s = fails_at, work_s

    def batch(self, step, rank, size):
        if step == self.fails_at:
            raise OSError("the disk is gone")
        time.sleep(self.work_s)
        part = np.zeros(size, np.float32)
        return Batch(part, part, part, part + step)


def test_batches_come_in_the_order_of_their_steps():
    with Prefetcher(Counting(), 5, 0, 1) as batches:
        assert [batches.next().qp[0] for _ in range(10)] == list(range(5, 15))


def test_waiting_for_data_is_measured():
    with Prefetcher(Counting(work_s=0.05), 0, 0, 1) as batches:
        for _ in range(4):
            batches.next()
        assert batches.waited_s > 0.1


def test_a_sources_error_reaches_the_trainer():
    with Prefetcher(Counting(fails_at=2), 0, 0, 1) as batches:
        batches.next(), batches.next()
        with pytest.raises(OSError, match="the disk is gone"):
            batches.next()


def test_leaving_early_ends_the_thread():
    with Prefetcher(Counting(), 0, 0, 1) as batches:
        batches.next()
    assert not batches._thread.is_alive()
