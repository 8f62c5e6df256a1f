"""Several tensors in one piece of memory, so that one copy moves them all.

| enhanced . . . . | mean . . . . |        each begins at a multiple of 256 bytes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from numpy.typing import NDArray

from runtime.cuda.driver import ALIGNMENT
from runtime.cuda.network import TensorSpec
from runtime.cuda.pinned_memory import PinnedMemory


@dataclass(frozen=True)
class TensorBlock:
    """Where each tensor lies in the piece."""

    specs: Sequence[TensorSpec]

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of the whole piece; 0 where there is no tensor."""
        return sum(aligned(spec.size_bytes) for spec in self.specs)

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Bytes before each tensor."""
        starts = accumulate((aligned(spec.size_bytes) for spec in self.specs), initial=0)
        return {spec.name: start for spec, start in zip(self.specs, starts, strict=False)}

    def addresses(self, base: int) -> dict[str, int]:
        """Return the tensors' addresses in a piece that begins at `base`."""
        return {name: base + offset for name, offset in self.offsets.items()}

    def views(self, memory: PinnedMemory) -> dict[str, NDArray[Any]]:
        """Return the tensors in a page-locked piece as arrays, not copies."""
        offsets = self.offsets
        return {spec.name: memory.view(offsets[spec.name], spec.shape, spec.dtype) for spec in self.specs}


def aligned(size_bytes: int) -> int:
    """Round up to the next multiple of 256."""
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT
