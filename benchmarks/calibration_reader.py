"""Samples in the way in which ONNX Runtime's calibrators, and those made from them, ask for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader

from calibration.activations import Feeds


class CalibrationReader(CalibrationDataReader):
    """Hands out what a network is fed, one after another, all of it or a part."""

    def __init__(self, samples: Sequence[Feeds]) -> None:
        self._samples = samples
        self.rewind()

    def __len__(self) -> int:
        return len(self._samples)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Go on with these samples, and stop behind them."""
        self._left = iter(self._samples[start_index:end_index])

    def rewind(self) -> None:
        """Begin anew, with all of them."""
        self.set_range(0, len(self))

    def get_first(self) -> Mapping[str, NDArray[Any]]:
        """Return the first sample, and leave the order as it is."""
        return self._samples[0]

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next sample; None behind the last."""
        sample = next(self._left, None)
        return None if sample is None else dict(sample)
