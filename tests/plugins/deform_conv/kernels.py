"""Compiled kernels without a compiler, for tests of what launches them."""

from typing import Any

from plugins.deform_conv.compiled_kernel import CompiledKernel, EntryPoint
from plugins.deform_conv.problem import Problem

PROBLEM = Problem(3, 64, (3, 3), pads=(1, 1, 1, 1), offset_group=3, mask="values")


def fake_kernel(problem: Problem = PROBLEM, capability: int = 80, target: str = "", **options: Any) -> CompiledKernel:
    """Return a kernel with a PTX that nobody can run."""
    fields: dict[str, Any] = {
        "ptx": f"// {capability}".encode(),
        "aligned": EntryPoint("aligned", 1000, 2),
        "general": EntryPoint("general", 2000, 2),
        "n_warps": 4,
        "block_pixels": 128,
        "n_tiles": 1,
    }
    suffix = "a" if capability >= 90 else ""
    return CompiledKernel(problem, capability, target or f"sm_{capability}{suffix}", **fields | options)
