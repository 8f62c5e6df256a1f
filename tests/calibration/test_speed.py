"""Times are taken in turns, and a ratio is that of runs beside each other."""

import time

from calibration.speed import FEWEST, rounds_in, speedup, times_ms


def test_runs_take_turns_and_the_warm_up_is_not_counted():
    order = []
    runs = {name: lambda name=name: order.append(name) for name in "ab"}
    times = times_ms(runs, rounds=3, warm_ups=1)
    assert "".join(order) == "abababab"
    assert {name: len(each) for name, each in times.items()} == {"a": 3, "b": 3}


def test_times_are_milliseconds():
    (found,) = times_ms({"sleep": lambda: time.sleep(0.02)}, rounds=1, warm_ups=0)["sleep"]
    assert found >= 20


def test_as_many_rounds_are_run_as_fit_and_never_only_a_few():
    runs = {name: lambda: time.sleep(0.01) for name in "ab"}
    assert 10 <= rounds_in(0.4, runs) <= 20  # 20 ms a round, and what a sleep takes longer
    assert rounds_in(0.0, runs) == FEWEST


def test_a_machine_that_grows_slower_does_not_change_a_ratio():
    assert speedup([10, 100, 1000], [5, 50, 500]) == 2
    assert speedup([10, 10, 10], [5, 5, 900]) == 2  # one disturbance is no ratio
