"""The hidden state of a recurrent network on the device, where it stays from frame to frame.

compute   network reads `hidden`, writes `hidden_next` | copy back | network ... | zeros, at a cut | network ...

One place for all windows of an engine: graphs hold addresses, and windows come in no fixed order of their own.
"""

from runtime.cuda.driver import Cuda
from runtime.cuda.network import TensorSpec
from runtime.cuda.resources import Resources


class HiddenMemory:
    """Both tensors, in one stream that everything here goes through; none of either where there is no state."""

    def __init__(
        self, cuda: Cuda, resources: Resources, specs: tuple[TensorSpec, TensorSpec] | None, stream: int
    ) -> None:
        """Take the memory, all zeros: a scene begins.

        Args:
            specs: of the input and of the output, which are alike but for their names.
        """
        self._cuda, self._stream = cuda, stream
        self._size_bytes = specs[0].size_bytes if specs else 0
        self.addresses = {spec.name: resources.device_memory(spec.size_bytes, stream) for spec in specs or ()}

    def advance(self) -> None:
        """Let the next run read what the last one wrote."""
        if self.addresses:
            read, written = self.addresses.values()
            self._cuda.copy_on_device(read, written, self._size_bytes, self._stream)

    def reset(self) -> None:
        """Let the next run read zeros."""
        if self.addresses:
            self._cuda.fill(next(iter(self.addresses.values())), 0, self._size_bytes, self._stream)
