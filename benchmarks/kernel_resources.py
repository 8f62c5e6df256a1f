"""What compiled kernels take of a GPU, read from the machine code that Triton's own assembler makes of their PTX."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import triton

from plugins.deform_conv.compiled_kernel import CompiledKernel, EntryPoint

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
BLACKWELL = 100  # from here on with an assembler of its own
TENSOR_CORES = re.compile(r"\b(mma\.sync|wgmma\.mma_async|tcgen05\.mma)\b")
USAGE = re.compile(
    r"Function properties for (\w+)\s+(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads\s+"
    r"ptxas\S* info\s+: Used (\d+) registers"
)
INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?!NOP)\S", re.MULTILINE)
REGISTERS_PER_MULTIPROCESSOR, WARP, REGISTER_STEP = 65536, 32, 8


@dataclass(frozen=True)
class Resources:
    """Of one entry point: registers of a thread, bytes in local memory, shared bytes and instructions of a block."""

    registers: int
    stack_bytes: int
    spill_bytes: int
    shared_bytes: int
    instructions: int
    tensor_cores: str  # the instructions it multiplies matrices with, or ""
    blocks_by_registers: int  # that fit into a multiprocessor at once


def resources(kernel: CompiledKernel) -> dict[str, Resources]:
    """Return the resources of both entry points by their names: "aligned" and "general"."""
    with tempfile.TemporaryDirectory() as folder:
        ptx, cubin = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        ptx.write_bytes(kernel.ptx)
        assembler = "ptxas-blackwell" if kernel.compute_capability >= BLACKWELL else "ptxas"
        report = _run(assembler, "-v", f"-arch={kernel.target}", str(ptx), "-o", str(cubin))
        usage = {name: [int(number) for number in numbers] for name, *numbers in USAGE.findall(report)}
        listing = _run("nvdisasm", "-c", str(cubin))
    return {
        entry.name: _resources(kernel, entry, usage[entry.name], listing) for entry in (kernel.aligned, kernel.general)
    }


def _resources(kernel: CompiledKernel, entry: EntryPoint, usage: list[int], listing: str) -> Resources:
    stack_bytes, stored, loaded, registers = usage
    code = listing.split(f".text.{entry.name}:")[1].split(".section")[0]
    text = kernel.ptx.decode().split(f".visible .entry {entry.name}(")[1].split(".visible .entry")[0]
    in_steps = -(-registers // REGISTER_STEP) * REGISTER_STEP
    return Resources(
        registers,
        stack_bytes,
        stored + loaded,
        entry.shared_bytes,
        len(INSTRUCTION.findall(code)),
        " ".join(sorted(set(TENSOR_CORES.findall(text)))),
        REGISTERS_PER_MULTIPROCESSOR // (in_steps * WARP * kernel.n_warps),
    )


def _run(tool: str, *arguments: str) -> str:
    done = subprocess.run([TOOLS / tool, *arguments], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr
