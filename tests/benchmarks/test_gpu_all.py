import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu_all import goal
from benchmarks.gpu_kernels import SHAPES, floor_ms, problem_of
from benchmarks.gpu_machine import BANDWIDTH
from runtime.gpu_presence import gpu_obstacle

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu_all.py"


@pytest.mark.parametrize(
    "shape, h200_ms, rtx4090_ms",
    [*zip(SHAPES, (0.029, 0.057, 0.112, 0.123), (0.139, 0.271, 0.534, 0.585), strict=True)],
)
def test_floors_are_the_traffic_over_the_bandwidth(shape, h200_ms, rtx4090_ms):
    problem = problem_of(*shape)
    assert floor_ms(problem, 720, 1280, BANDWIDTH["H200"]) == pytest.approx(h200_ms, abs=6e-4)
    assert floor_ms(problem, 720, 1280, BANDWIDTH["RTX 4090"]) == pytest.approx(rtx4090_ms, abs=1e-3)


def test_a_goal_is_reached_from_the_right_side():
    assert goal(1.2, "of floor", True).endswith("at most 1.3: reached")
    assert goal(1.4, "of floor", True).endswith("missed")
    assert goal(2.9, "of torchvision").endswith("at least 3: missed")


@pytest.mark.skipif(gpu_obstacle() is None, reason="a GPU is here")
def test_without_a_gpu_one_sentence_says_so(tmp_path):
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--output", str(tmp_path / "gpu.csv")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"gpu_all: {gpu_obstacle()}, so there is nothing to measure.\n"
    assert not list(tmp_path.iterdir())
