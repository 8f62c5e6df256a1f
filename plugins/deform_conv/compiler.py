"""Problems compiled to PTX by Triton, for any GPU, on a machine with none.

A module holds two versions of the kernel, see CompiledKernel. Nothing is taken from Triton's cache on disk, and neither
the time nor the place of compilation gets into the PTX: the same sources and the same Triton give the same bytes.
"""

import re
import tempfile
from collections.abc import Mapping
from functools import cache
from typing import Any

import triton
from triton import knobs
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from cvqe.errors import BackendError
from plugins.deform_conv.compiled_kernel import CompiledKernel, EntryPoint
from plugins.deform_conv.kernel_choice import KernelChoice, choose_kernel
from plugins.deform_conv.kernel_source import load_kernels
from plugins.deform_conv.problem import Problem

POINTERS = ("x_ptr", "weight_ptr", "offset_ptr", "bias_ptr", "mask_ptr", "y_ptr")
SIZES = ("height", "width", "out_width", "out_plane")
CAPABILITIES = (75, 80, 86, 87, 89, 90, 100, 103, 110, 120, 121)
ADDRESS_BYTES, PLANE_ITEMS = 16, 8  # what "aligned" means
ENTRY = re.compile(r"\.visible \.entry (\w+)\(([^)]*)\)")


@cache
def compile_kernel(problem: Problem, compute_capability: int) -> CompiledKernel:
    """Compile for a GPU of this compute capability, 89 for 8.9; seconds to a minute on one core, once a process.

    Raises:
        BackendError: Triton can't compile for such a GPU.
    """
    choice = choose_kernel(problem, compute_capability)
    aligned, general = (_compile(problem, compute_capability, is_aligned) for is_aligned in (True, False))
    ptx = _one_module(aligned.asm["ptx"], general.asm["ptx"], choice.name)
    target = re.search(r"^\.target (\w+)", ptx, re.MULTILINE)
    assert target, "every PTX module has one"
    return CompiledKernel(
        problem=problem,
        compute_capability=compute_capability,
        target=target[1],
        ptx=ptx.encode(),
        aligned=_entry_point("aligned", aligned, problem),
        general=_entry_point("general", general, problem),
        n_warps=choice.n_warps,
        block_pixels=choice.block_pixels,
        n_tiles=choice.n_tiles,
    )


def _compile(problem: Problem, compute_capability: int, is_aligned: bool) -> Any:
    if compute_capability not in CAPABILITIES:
        raise BackendError(
            f"no DeformConv kernel can be compiled for compute capability {compute_capability}; "
            f"Triton {triton.__version__} knows {', '.join(map(str, CAPABILITIES))}."
        )
    choice = choose_kernel(problem, compute_capability, is_aligned)
    source = _source(problem, choice, is_aligned)
    with knobs.compilation.scope(), knobs.cache.scope(), tempfile.TemporaryDirectory() as cache:
        knobs.compilation.always_compile = True
        knobs.compilation.disable_line_info = True  # it holds paths
        knobs.cache.dir = cache
        try:
            # stages would copy tiles of the weights ahead through shared memory; they come from the L1 cache anyway
            options = {"num_warps": choice.n_warps, "num_stages": 1}
            return triton.compile(source, target=GPUTarget("cuda", compute_capability, 32), options=options)
        except Exception as error:  # MLIR, LLVM and ptxas raise what they like
            raise BackendError(
                f"Triton {triton.__version__} can't compile DeformConv for compute capability {compute_capability} "
                f"({type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else 'no reason given'})."
            ) from error


def _source(problem: Problem, choice: KernelChoice, is_aligned: bool) -> Any:
    function = getattr(load_kernels(), choice.name)
    constants: dict[str, Any] = dict(choice.constants) | {"WIDE": not is_aligned}
    if not problem.mask_channels:
        constants["mask_ptr"] = None
    item = f"*{problem.dtype}"
    types = dict.fromkeys(POINTERS, item) | dict.fromkeys(SIZES, "i32") | dict.fromkeys(constants, "constexpr")
    signature = {name: types[name] for name in function.arg_names}
    return ASTSource(function, signature, constants, _alignment(signature) if is_aligned else {})


def _alignment(signature: Mapping[str, str]) -> dict[tuple[int], list[list[Any]]]:
    known = dict.fromkeys(POINTERS, ADDRESS_BYTES) | {"out_plane": PLANE_ITEMS}
    return {
        (index,): [["tt.divisibility", known[name]]]
        for index, (name, kind) in enumerate(signature.items())
        if name in known and kind != "constexpr"
    }


def _one_module(aligned: str, general: str, name: str) -> str:
    """Join two PTX modules that both define `name`, which become "aligned" and "general"."""
    first, second = (
        re.sub(rf"\b{name}(?=\(|_param_)", to, ptx) for to, ptx in (("aligned", aligned), ("general", general))
    )
    start = second.index(".visible .entry")
    declared = set(first.splitlines())
    # version, target, the pool of shared memory: both modules begin alike
    own = "".join(f"{line}\n" for line in second[:start].splitlines() if line.startswith(".") and line not in declared)
    return re.sub(r"[ \t]*//.*$", "", first + own + second[start:], flags=re.MULTILINE)


def _entry_point(name: str, compiled: Any, problem: Problem) -> EntryPoint:
    entry = ENTRY.search(compiled.asm["ptx"])
    assert entry, "every kernel has one"
    n_own = len(POINTERS) - (not problem.mask_channels) + len(SIZES)
    n_hidden = entry[2].count(".param") - n_own
    metadata = compiled.metadata
    scratch_bytes = metadata.global_scratch_size + getattr(metadata, "profile_scratch_size", 0)
    assert n_hidden >= 0 and scratch_bytes == 0, "hidden parameters are for scratch memory, which we have none of"
    return EntryPoint(name, metadata.shared, n_hidden)
