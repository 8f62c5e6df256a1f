"""Channels and the common end of stages."""

import threading

import pytest

from runtime.stages import Stages, Stopped


def test_items_come_out_in_order_and_the_end_follows_the_last_one():
    stages = Stages()
    channel = stages.channel(2)

    def produce():
        for item in range(100):
            channel.put(item)
        channel.end()

    stages.start("produce", produce)
    assert list(channel) == list(range(100))
    stages.join()


def test_a_channel_never_holds_more_than_its_capacity():
    stages = Stages()
    channel = stages.channel(3)
    n_put = 0

    def produce():
        nonlocal n_put
        while True:
            channel.put(n_put)
            n_put += 1

    stages.start("produce", produce)
    assert [channel.get() for _ in range(10)] == list(range(10))
    stages.stop()
    stages.join()
    assert n_put <= 10 + 3


def test_the_first_error_of_any_stage_stops_all_and_is_the_one_raised():
    stages = Stages()
    never = stages.channel(1)
    n_stopped = []

    def wait_forever():
        try:
            never.get()
        except Stopped:
            n_stopped.append(1)
            raise

    def fail():
        raise ValueError("the first")

    stages.start("wait", wait_forever)
    stages.start("wait too", wait_forever)
    stages.start("fail", fail)
    with pytest.raises(ValueError, match="the first"):
        stages.join()
    assert len(n_stopped) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cvqe-")]


def test_a_later_error_does_not_hide_the_first():
    stages = Stages()
    stages.stop(ValueError("first"))
    stages.stop(KeyError("second"))
    with pytest.raises(ValueError, match="first"):
        stages.join()


def test_stopping_without_an_error_raises_none():
    stages = Stages()
    channel = stages.channel(1)
    stages.start("wait", lambda: channel.get())
    stages.stop()
    stages.join()
