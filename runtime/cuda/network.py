"""What a GPU library gives the CUDA engine: a network that can be put to work on given addresses in a given stream."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np

Launch = Callable[[], None]


@dataclass(frozen=True)
class TensorSpec:
    """An input or output: dense, row by row, of a fixed shape."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size_bytes(self) -> int:
        """Bytes of all its elements."""
        return prod(self.shape) * self.dtype.itemsize


class DeviceNetwork(Protocol):
    """A network on a device, for one frame size.

    Its launches run one at a time, from one thread; that may be another one than prepared() was called from.
    """

    @property
    def backend(self) -> str:
        """As in `Engine`."""

    @property
    def precision(self) -> str:
        """As in `Engine`."""

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """Every input, under the names of cvqe.manifest."""

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """Every output, likewise."""

    @property
    def is_capturable(self) -> bool:
        """Tell whether a launch only puts work into the stream, so that a CUDA graph can hold it.

        False where a library launches graphs of its own, or waits.
        """

    def prepared(self, addresses: Mapping[str, int], stream: int) -> Launch:
        """Return what puts one run over these addresses into the stream.

        Called once for each set of addresses, before the first frame. Everything that allocates, loads kernels or waits
        happens here: a run to warm up, too. The memory is there and zero (a hidden state's next one, which all sets
        share, is what the last such run wrote), and stays where it is as long as the launch
        is used; different sets are never at work at the same time.

        Args:
            addresses: device addresses of all inputs and outputs by name, multiples of 256.
            stream: the CUDA stream, as an integer.
        """

    def close(self) -> None:
        """Give the device's memory back; no launch is used any more."""
