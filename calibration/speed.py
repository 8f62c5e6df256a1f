"""Which engine takes less time for a frame: run in turns, so that whatever else the machine does meets all alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

FEWEST = 5  # rounds, of which two may be disturbed

Key = TypeVar("Key")
Run = Callable[[], object]


def times_ms(runs: Mapping[Key, Run], rounds: int, warm_ups: int = 2) -> dict[Key, list[float]]:
    """Run each once a round; return its milliseconds, round by round, without those of the warm-up."""
    times: dict[Key, list[float]] = {key: [] for key in runs}
    for number in range(warm_ups + rounds):
        for key, run in runs.items():
            start = time.perf_counter()
            run()
            if number >= warm_ups:
                times[key].append(1000 * (time.perf_counter() - start))
    return times


def rounds_in(seconds: float, runs: Mapping[Key, Run]) -> int:
    """Return how many rounds take about so long, FEWEST at least, from one round."""
    return max(FEWEST, int(1000 * seconds / sum(time for (time,) in times_ms(runs, rounds=1, warm_ups=1).values())))


def speedup(slow_ms: Sequence[float], fast_ms: Sequence[float]) -> float:
    """Return how many times as fast the second is: the median over rounds of the ratio within each."""
    return median(slow / fast for slow, fast in zip(slow_ms, fast_ms, strict=True))
