"""The hidden state of a recurrent network in OpenVINO's memory: one frame writes it, the next reads it, nobody copies.

frame n     reads a --> writes b
frame n+1   reads b --> writes a
"""

from collections.abc import Sequence

import numpy as np
import openvino

from cvqe.manifest import HIDDEN, HIDDEN_NEXT


class HiddenTensors:
    """Two tensors that change places with every frame."""

    def __init__(self, shape: Sequence[int]) -> None:
        """Begin a scene; shape is [1, C, H, W]."""
        self._read, self._written = (openvino.Tensor(np.zeros(shape, np.float32)) for _ in range(2))
        self._is_fresh = True

    def bind(self, request: openvino.InferRequest) -> None:
        """Have the next inference read what the last one wrote."""
        if not self._is_fresh:
            self._read, self._written = self._written, self._read
        self._is_fresh = False
        request.set_tensor(HIDDEN, self._read)
        request.set_tensor(HIDDEN_NEXT, self._written)

    def reset(self) -> None:
        """Let the next inference read zeros."""
        self._read.data[...] = 0
        self._is_fresh = True
