import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("triton")
pytest.importorskip("cuda.bindings")

from benchmarks import gpu_all, gpu_files, gpu_kernels, gpu_machine, gpu_networks
from benchmarks.gpu_kernels import CHECKED_SIZES, SHAPES, floor_ms, packed_inputs, packed_problem, problem_of
from benchmarks.gpu_machine import BANDWIDTH, Bandwidth, bandwidth
from benchmarks.gpu_networks import EAGER_FP32, EAGER_TF32, NetworkSpeed
from benchmarks.gpu_result import Line, NotPossible, NotRun, Obstacle, attempted, goal, one
from benchmarks.stream_speed import StreamSpeed
from cvqe.errors import BackendError, CvqeError
from export.build_engine import parse_args as parse_build
from plugins.deform_conv.launch_plan import plan_launch
from runtime.gpu_presence import gpu_obstacle
from runtime.model_file import find_model
from tests.plugins.deform_conv.kernels import fake_kernel

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu_all.py"
WRONG = "our kernel is off by 1"


def raising(error):
    def work(*_, **__):
        raise error

    return work


@pytest.mark.parametrize(
    "shape, h200_ms, rtx4090_ms",
    [*zip(SHAPES, (0.029, 0.057, 0.112, 0.123), (0.139, 0.271, 0.534, 0.585), strict=True)],
)
def test_floors_are_the_traffic_over_the_bandwidth(shape, h200_ms, rtx4090_ms):
    problem = problem_of(*shape)
    assert floor_ms(problem, 720, 1280, BANDWIDTH["NVIDIA H200"]) == pytest.approx(h200_ms, abs=6e-4)
    assert floor_ms(problem, 720, 1280, BANDWIDTH["NVIDIA GeForce RTX 4090"]) == pytest.approx(rtx4090_ms, abs=1e-3)


@pytest.mark.parametrize("name", ["NVIDIA GH200 480GB", "NVIDIA H100 PCIe", "NVIDIA GeForce RTX 4090 Laptop GPU"])
def test_the_memory_of_a_gpu_that_only_sounds_alike_is_measured(monkeypatch, name):
    monkeypatch.setattr(gpu_machine, "copy_bandwidth", lambda: 1e12)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: name)
    assert str(bandwidth()) == "1.00 TB/s, measured by copying"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    assert str(bandwidth()) == "4.80 TB/s, of the data sheet"


def test_a_goal_is_reached_from_the_right_side():
    assert goal(1.2, "of floor", True).endswith("at most 1.3: reached")
    assert goal(1.4, "of floor", True).endswith("missed")
    assert goal(2.9, "of torchvision").endswith("at least 3: missed")


@pytest.mark.parametrize("problem", [problem_of(3, 3), packed_problem(problem_of(3, 3))])
def test_both_entry_points_are_checked_and_the_one_that_is_timed_is_among_them(problem):
    def entry(height, width):
        shapes = problem.shapes(1, height, width)
        return plan_launch(fake_kernel(problem), [256] * len(shapes), shapes).entry.name

    assert sorted(entry(*size) for size in CHECKED_SIZES) == ["aligned", "general"]
    assert entry(720, 1280) == "aligned"


def test_a_packed_mask_is_expected_to_give_what_its_values_give():
    problem = problem_of(3, 3)
    shapes = problem.shapes(1, 8, 11)[:-1]
    random = np.random.default_rng(0)
    inputs = [torch.from_numpy(random.random(shape)).half() for shape in shapes]
    packed = packed_inputs(inputs)
    assert [tuple(tensor.shape) for tensor in packed] == list(packed_problem(problem).shapes(1, 8, 11)[:-1])
    expected = gpu_kernels._expected(problem, inputs)
    assert expected.shape == (1, 64, 8, 11)
    np.testing.assert_allclose(gpu_kernels._expected(problem, packed), expected, atol=0.03)  # logits are rounded


def chained(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error, obstacle",
    [
        (ModuleNotFoundError("No module", name="torchvision"), Obstacle("torchvision is not installed", False)),
        (
            chained(BackendError("does not load"), ModuleNotFoundError("No module", name="triton")),
            Obstacle("triton is not installed", False),
        ),
        (NotPossible("another GPU"), Obstacle("another GPU", False)),
        (BackendError("no memory.\nBuy some."), Obstacle("no memory.", True)),
        (RuntimeError("at line 1\nout of memory\n"), Obstacle("RuntimeError: out of memory", True)),
        (
            ModuleNotFoundError("No module named 'cvqe.x'", name="cvqe.x"),
            Obstacle("ModuleNotFoundError: No module named 'cvqe.x'", True),
        ),
    ],
)
def test_what_fails_says_why_and_a_missing_package_is_no_failure(error, obstacle):
    assert attempted(raising(error)) == obstacle
    assert attempted(lambda: 5) == 5


@pytest.fixture
def kernels(monkeypatch):
    """Let every kernel run, at 2 ms, and be right; the floor is 1 ms, torchvision takes 8."""
    monkeypatch.setattr(gpu_machine, "give_back", lambda: None)
    monkeypatch.setattr(gpu_machine, "bandwidth", lambda: Bandwidth(1e12, "made up"))
    monkeypatch.setattr(gpu_kernels, "floor_ms", lambda *_: 1.0)
    monkeypatch.setattr(gpu_kernels, "checked_error", lambda _: 1e-3)
    monkeypatch.setattr(gpu_kernels, "OURS", {"ours": lambda *_: one(2.0)})
    monkeypatch.setattr(gpu_kernels, "THEIRS", {"torchvision": lambda *_: one(8.0)})


def told(lines):
    return [
        (line.provider, line.reason) if isinstance(line, NotRun) else (line.provider, line.metric, line.timing.median)
        for line in lines
    ]


OURS_LINES = [("floor", "time", 1.0), ("ours", "error", 1e-3), ("ours", "time", 2.0)]


def test_a_right_kernel_is_compared_with_both(kernels):
    ratios = [("torchvision", "time", 8.0), ("ours", "of floor", 2.0), ("ours", "of torchvision", 4.0)]
    assert told(gpu_all.case_lines("a", problem_of(3, 1), 8, 8)) == OURS_LINES + ratios


def test_ours_does_not_wait_for_torchvision(kernels, monkeypatch):
    missing = raising(ModuleNotFoundError("No module", name="torchvision"))
    monkeypatch.setattr(gpu_kernels, "THEIRS", {"torchvision": missing})
    rest = [("torchvision", "torchvision is not installed"), ("ours", "of floor", 2.0)]
    assert told(gpu_all.case_lines("a", problem_of(3, 1), 8, 8)) == OURS_LINES + rest


def test_a_wrong_kernel_is_not_timed(kernels, monkeypatch):
    monkeypatch.setattr(gpu_kernels, "checked_error", raising(CvqeError(WRONG)))
    found = told(gpu_all.case_lines("a", problem_of(3, 1), 8, 8))
    assert found == [("floor", "time", 1.0), ("ours", WRONG), ("torchvision", "time", 8.0)]


def test_a_device_that_has_broken_down_ends_no_run(kernels, monkeypatch):
    monkeypatch.setattr(gpu_machine, "give_back", raising(RuntimeError("CUDA error: illegal address")))
    rest = [(name, "RuntimeError: CUDA error: illegal address") for name in ("ours", "torchvision")]
    assert told(gpu_all.case_lines("a", problem_of(3, 1), 8, 8)) == OURS_LINES[:2] + rest


def test_a_kernel_that_is_off_is_called_wrong(monkeypatch):
    monkeypatch.setattr(gpu_kernels, "made_up_inputs", lambda *_: [])
    monkeypatch.setattr(gpu_kernels, "packed_inputs", lambda _: [])
    monkeypatch.setattr(gpu_kernels, "_expected", lambda *_: None)
    monkeypatch.setattr(gpu_kernels, "_largest_error", lambda problem, *_: 0.5 if problem.packed else 0.001)
    with pytest.raises(CvqeError, match=r"off by 5.00e-01 at 1301x37, mask logits; 3.91e-03 is allowed"):
        gpu_kernels.checked_error(problem_of(3, 1))
    monkeypatch.setattr(gpu_kernels, "_largest_error", lambda *_: float("nan"))
    with pytest.raises(CvqeError, match="off by nan"):
        gpu_kernels.checked_error(problem_of(3, 1))


def reached(provider, frames_per_s):
    return lambda: NetworkSpeed(provider, StreamSpeed(frames_per_s, one(5.0), 6.0), 100.0)


def test_one_provider_that_fails_does_not_end_the_run(monkeypatch):
    speeds = {
        EAGER_FP32: reached(EAGER_FP32, 4.0),
        EAGER_TF32: raising(RuntimeError("CUDA out of memory")),
        "torch-cuda": reached("torch-cuda fp16", 80.0),
    }
    monkeypatch.setattr(gpu_networks, "works", lambda *_: speeds)
    lines = list(gpu_all.network_lines(find_model("live"), 8, 8, 10))
    assert (EAGER_TF32, "RuntimeError: CUDA out of memory") in told(lines)
    assert told(lines)[-5:] == [
        ("torch-cuda fp16", "frames/s", 80.0),
        ("torch-cuda fp16", "latency", 5.0),
        ("torch-cuda fp16", "latency p99", 6.0),
        ("torch-cuda fp16", "memory", 100.0),
        ("torch-cuda fp16", "of eager", 20.0),
    ]


def test_without_torchvision_backends_are_measured_and_not_compared(monkeypatch):
    missing = raising(ModuleNotFoundError("No module", name="torchvision"))
    speeds = {EAGER_FP32: missing, EAGER_TF32: missing, "torch-cuda": reached("torch-cuda fp16", 80.0)}
    monkeypatch.setattr(gpu_networks, "works", lambda *_: speeds)
    lines = list(gpu_all.network_lines(find_model("live"), 8, 8, 10))
    assert [line.is_failure for line in lines if isinstance(line, NotRun)] == [False, False]
    assert [line.metric for line in lines if isinstance(line, Line)] == ["frames/s", "latency", "latency p99", "memory"]


@pytest.mark.parametrize("fails", [False, True])
def test_memory_is_read_while_slots_are_open_and_the_engine_is_closed_whatever_happens(monkeypatch, fails):
    events, free = [], iter([1000 * 2**20, 900 * 2**20])
    engine = SimpleNamespace(precision="fp16", close=lambda: events.append("closed"))

    def measure(*_, at_end, **__):
        events.append("measured")
        if fails:
            raise RuntimeError
        at_end()
        return StreamSpeed(80.0, one(5.0), 6.0)

    monkeypatch.setattr(gpu_networks, "installed_version", lambda _: "1")
    monkeypatch.setattr(gpu_networks, "give_back", lambda: events.append("given back"))
    monkeypatch.setattr(gpu_networks, "free_bytes", lambda: events.append("read") or next(free))
    monkeypatch.setattr(gpu_networks, "open_engine", lambda *_: SimpleNamespace(engine=engine))
    monkeypatch.setattr(gpu_networks, "measure_stream", measure)
    found = attempted(lambda: gpu_networks.measure_backend(find_model("live"), "torch-cuda", 8, 8, 10))
    if fails:
        assert isinstance(found, Obstacle)
    else:
        assert (found.provider, found.memory_mb) == ("torch-cuda fp16", 100.0)
    assert events == ["given back", "read", "measured", *["read"] * (not fails), "closed"]


def test_a_backend_that_is_not_installed_is_no_failure(monkeypatch):
    monkeypatch.setattr(gpu_networks, "installed_version", lambda _: None)
    found = attempted(lambda: gpu_networks.measure_backend(find_model("live"), "tensorrt", 8, 8, 10))
    assert found == Obstacle("tensorrt is not installed (pip install tensorrt-cu13 cuda-python)", False)


def test_tf32_is_off_for_float32_and_restored():
    backends = torch.backends
    before = backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32
    for is_allowed in (False, True):
        with gpu_networks.tf32(is_allowed):
            assert (backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32) == (is_allowed, is_allowed)
        assert (backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32) == before


@pytest.mark.parametrize("name, allow_tf32", [(EAGER_FP32, False), (EAGER_TF32, True)])
def test_the_eager_providers_differ_in_tf32(monkeypatch, name, allow_tf32):
    asked = []
    monkeypatch.setattr(gpu_networks, "measure_eager", lambda *_, allow_tf32: asked.append(allow_tf32))
    gpu_networks.works(find_model("live"), 8, 8, 10)[name]()
    assert asked == [allow_tf32]


@pytest.mark.parametrize(
    "line, code",
    [(NotRun("a", "ours", WRONG, True), 1), (NotRun("a", "torchvision", "torchvision is not installed", False), 0)],
)
def test_networks_are_measured_whatever_kernels_do_and_the_exit_code_tells(monkeypatch, tmp_path, capsys, line, code):
    measured = Line("tgafnet", "torch-cuda fp16", "frames/s", "1/s", one(80.0))
    monkeypatch.setattr(gpu_all, "gpu_obstacle", lambda: None)
    monkeypatch.setattr(gpu_machine, "gpu_name", lambda: "a GPU")
    monkeypatch.setattr(gpu_all, "kernel_lines", lambda *_: iter([line]))
    monkeypatch.setattr(gpu_all, "network_lines", lambda *_: iter([measured]))
    monkeypatch.setattr(gpu_all, "installed", list)
    rows = tmp_path / "gpu.csv"
    assert gpu_all.main(["--output", str(rows)]) == code
    assert [row.split(",")[1] for row in rows.read_text().splitlines()] == ["provider", "torch-cuda fp16"]
    out, err = capsys.readouterr()
    assert f"not run: {line.reason}" in out
    assert ("1 of the measurements failed" in err) == bool(code)


@pytest.mark.parametrize("library", ["tensorrt", "tensorrt-rtx"])
def test_the_engine_that_a_backend_looks_for_is_built(monkeypatch, library):
    calls = []
    done = SimpleNamespace(returncode=0, stderr="")
    monkeypatch.setattr(gpu_files.subprocess, "run", lambda command, **_: calls.append(command) or done)
    monkeypatch.setattr(gpu_files, "load_tensorrt", lambda _: None)
    monkeypatch.setattr(gpu_files, "compute_capabilities", lambda _: {89: None})
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 9))
    model = find_model("live")
    gpu_files.build_engine(model, 720, 1280, library)
    ((python, script, *arguments),) = calls
    assert (python, script) == (sys.executable, "export/build_engine.py")
    options = parse_build(arguments)
    assert (options.onnx, options.library, options.skip_inference) == (model.path.resolve(), library, True)
    assert options.shapes.opt_shapes["window"] == (1, 7, 720, 1280)
    done.returncode, done.stderr = 1, "building\nbuild_engine: no memory left.\nClose what else uses it.\n"
    with pytest.raises(BackendError, match=r"^no memory left\.\nClose what else uses it\.$"):
        gpu_files.build_engine(model, 720, 1280, library)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    with pytest.raises(NotPossible, match=r"does not build for compute capability 9\.0"):
        gpu_files.build_engine(model, 720, 1280, library)


def test_what_a_build_ends_with_is_told():
    assert gpu_files.reason_in("10 s\nbuild_engine: a\nb\n") == "a\nb"
    assert gpu_files.reason_in("Traceback:\n  x\nKeyError: 'y'\n") == "KeyError: 'y'"


def test_without_an_exporter_the_file_of_an_earlier_time_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_files, "find_spec", lambda _: None)
    monkeypatch.setattr(gpu_files, "ROOT", tmp_path)
    with pytest.raises(NotPossible, match=r"python export/to_onnx.py .* --output out/tgafnet_fp16.onnx"):
        gpu_files.tgafnet_file()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tgafnet_fp16.onnx").write_bytes(find_model("live").content)
    assert gpu_files.tgafnet_file().manifest.network == "live"


@pytest.mark.slow
def test_tgafnet_is_exported_for_whoever_names_no_model(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_files, "EXPORTED", tmp_path / "new" / "tgafnet_fp16.onnx")
    assert (gpu_files.tgafnet_file().manifest.network, gpu_all.parse_args([]).model) == ("tgafnet", None)


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
