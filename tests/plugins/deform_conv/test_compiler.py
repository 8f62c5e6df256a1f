import os
import subprocess
import sys
from dataclasses import replace

import pytest

pytest.importorskip("triton")

from benchmarks.kernel_cases import CAPABILITIES, FRAME, NETWORK_CASES, plain, saved_bytes
from benchmarks.kernel_resources import Resources, resources
from cvqe.errors import BackendError, ModelError
from plugins.deform_conv.compiled_kernel import compiled_kernel_from_bytes
from plugins.deform_conv.compiler import compile_kernel
from plugins.deform_conv.problem import Problem

FIRST = NETWORK_CASES["tgafnet 3 channels 1x1"]
WARP = NETWORK_CASES["live warp of 2 planes"]
# the general version has an address for each item it stores; some wait in local memory, once a block
MAX_SPILL_BYTES = {"aligned": 0, "general": 256}
MAX_REGISTERS = 168  # three blocks of 128 threads on a multiprocessor: enough loads in flight
# the oldest and the newest GPU always, those between where there is time: the large kernels take half a minute each
ON_EVERY_GPU = [
    pytest.param(each, marks=[pytest.mark.slow] * (each not in (min(CAPABILITIES), max(CAPABILITIES))))
    for each in CAPABILITIES
]
COMPILE_AND_PRINT = """
import hashlib, os, sys
from plugins.deform_conv.compiler import compile_kernel
from plugins.deform_conv.problem import Problem
problem = Problem(2, 2, (1, 1), offset_group=2, dtype="fp32")
print(hashlib.sha256(compile_kernel(problem, 89).to_bytes()).hexdigest(), "torch" in sys.modules)
"""


def check_resources(problem: Problem, capability: int) -> dict[str, Resources]:
    """Compile; the passes over the taps keep to registers, and tensor cores are used where Triton can."""
    used = resources(compile_kernel(problem, capability))
    has_dots = problem.c_out > 8 and problem.dtype == "fp16" and capability >= 80
    for name, entry in used.items():
        assert entry.stack_bytes <= entry.spill_bytes <= MAX_SPILL_BYTES[name]
        assert entry.shared_bytes <= 48 * 1024
        assert bool(entry.tensor_cores) == has_dots
    if problem.dtype == "fp16" and capability >= 80:
        assert used["aligned"].registers <= MAX_REGISTERS
    return used


@pytest.mark.parametrize("capability", ON_EVERY_GPU)
@pytest.mark.parametrize("name", NETWORK_CASES)
def test_every_kernel_of_a_network_keeps_to_registers_on_every_gpu(name, capability):
    check_resources(NETWORK_CASES[name], capability)


@pytest.mark.slow
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("name", NETWORK_CASES)
def test_so_do_the_standards_nodes_and_those_in_float(name, capability):
    problem = NETWORK_CASES[name]
    for variant in {plain(problem), replace(problem, dtype="fp32")} - {problem}:
        check_resources(variant, capability)


@pytest.mark.slow
def test_instructions_are_those_that_were_counted_on():
    """What an address, a bound or a conversion more would cost: at 60 a sample they, not the memory, set the speed."""
    inter = compile_kernel(NETWORK_CASES["tgafnet 64 channels 1x1"], 90)
    assert resources(inter)["aligned"].instructions <= 1550  # 16 samples a pass, about 1040 of it


def test_a_kernel_survives_being_carried_as_bytes():
    kernel = compile_kernel(FIRST, 80)
    data = kernel.to_bytes()
    assert compile_kernel(replace(FIRST), 80) is kernel  # compiled once a process
    assert compiled_kernel_from_bytes(data) == kernel
    assert kernel.ptx in data
    assert (kernel.target, kernel.aligned.name, kernel.general.name) == ("sm_80", "aligned", "general")
    assert compile_kernel(WARP, 120).target == "sm_120a"


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda data: b"", "another version of cvqe; build the engine again"),
        (lambda data: data.replace(b"kernel 1", b"kernel 0"), "another version of cvqe"),
        (lambda data: data[:-1], "damaged .wrong checksum"),
        (lambda data: data.replace(b'"n_warps"', b'"n_worms"'), "damaged .*n_worms"),
        (lambda data: data.replace(b'"channels": 3', b'"channels": 0'), "channels"),
        (lambda data: data[:60], "damaged"),
    ],
)
def test_damaged_bytes_are_refused(spoil, message):
    with pytest.raises(ModelError, match=message):
        compiled_kernel_from_bytes(spoil(compile_kernel(FIRST, 80).to_bytes()))


def test_the_same_sources_give_the_same_bytes_whatever_the_environment(tmp_path):
    """Neither a cache, nor the interpreter's switch, nor the place says anything; torch is not needed."""
    environments = [{}, {"TRITON_INTERPRET": "1"}, {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_ALWAYS_COMPILE": "0"}]
    outputs = set()
    for environment in environments:
        run = subprocess.run(
            [sys.executable, "-c", COMPILE_AND_PRINT],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        outputs.add(run.stdout)
    assert len(outputs) == 1
    assert outputs.pop().endswith("False\n")
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_this_machine_is_in_the_text():
    text = compile_kernel(FIRST, 80).ptx.decode()
    assert "/" not in text.replace("//", "")
    assert ".loc" not in text


@pytest.mark.parametrize("capability", [70, 91, 130])
def test_a_gpu_that_triton_does_not_know_is_refused(capability):
    with pytest.raises(BackendError, match=f"capability {capability}; Triton .* knows 75, 80, .*, 121"):
        compile_kernel(WARP, capability)


def test_a_packed_problem_saves_the_passes_of_split_and_sigmoid():
    problem = NETWORK_CASES["tgafnet 3 channels 5x5"]
    pixels_bytes = 2 * FRAME[0] * FRAME[1]
    assert saved_bytes(problem, *FRAME) == (2 * 225 * pixels_bytes, 2 * 75 * pixels_bytes)
    assert saved_bytes(plain(problem), *FRAME) == (0, 0)
