"""A kernel as machine-independent text with all it takes to launch it: what an engine carries, without a compiler.

    header in JSON, one line --\\
                               bytes in a plugin field of an engine, PTX readable inside
    PTX, two entry points -----/
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from cvqe.errors import ModelError, ShapeError
from plugins.deform_conv.problem import Problem

MAGIC = b"cvqe deform_conv kernel 1\n"


@dataclass(frozen=True)
class EntryPoint:
    """A function of a PTX module; n_hidden pointers follow its own parameters and are to be null."""

    name: str
    shared_bytes: int
    n_hidden: int


@dataclass(frozen=True)
class CompiledKernel:
    """One problem compiled for one kind of GPU.

    Its parameters are the pointers of x, weight, offset or packed tensor, bias, mask where it is a tensor of its own,
    and y; then height, width, out_width and out_height * out_width as 32-bit integers. Its grid is (out_height *
    out_width / block_pixels rounded up, n_tiles, N), its block 32 * n_warps threads.

    Attributes:
        problem: what it computes.
        compute_capability: 89 for 8.9, of the GPU it is meant for.
        target: for which the PTX is written; "sm_90a" runs on 9.0 alone, "sm_80" on 8.0 and whatever is newer.
        ptx: the module.
        aligned: reads and writes up to 16 bytes at once: all addresses are multiples of 16 bytes and the output plane
            of 8 items, and no image of a tensor has 2**31 items.
        general: makes no such demands.
        n_warps: of a block.
        block_pixels: output pixels of a block.
        n_tiles: blocks that share these pixels, each with output channels of its own.
    """

    problem: Problem
    compute_capability: int
    target: str
    ptx: bytes
    aligned: EntryPoint
    general: EntryPoint
    n_warps: int
    block_pixels: int
    n_tiles: int

    def to_bytes(self) -> bytes:
        """Return everything as bytes, the same ones for the same kernel."""
        header = asdict(self) | {"ptx": hashlib.sha256(self.ptx).hexdigest()}
        return MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n" + self.ptx


def compiled_kernel_from_bytes(data: bytes) -> CompiledKernel:
    """Return what `to_bytes` made bytes of.

    Raises:
        ModelError: these bytes are none of ours, from another version, or damaged.
    """
    if not data.startswith(MAGIC):
        raise ModelError(
            "the engine's DeformConv kernel was written by another version of cvqe; build the engine again."
        )
    header, _, ptx = data[len(MAGIC) :].partition(b"\n")
    try:
        fields: dict[str, Any] = json.loads(header)
        is_whole = fields.pop("ptx") == hashlib.sha256(ptx).hexdigest()
        fields |= {name: EntryPoint(**fields[name]) for name in ("aligned", "general")}
        kernel = CompiledKernel(**fields | {"problem": _problem(fields["problem"]), "ptx": ptx})
    except (ValueError, TypeError, KeyError, AttributeError, ShapeError) as error:
        raise ModelError(f"the engine's DeformConv kernel is damaged ({error}); build the engine again.") from error
    if not is_whole:
        raise ModelError("the engine's DeformConv kernel is damaged (wrong checksum); build the engine again.")
    return kernel


def _problem(fields: dict[str, Any]) -> Problem:
    # JSON has lists alone
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    return Problem(**values)
