"""Interlaced video: each field enhanced by itself, for the rows between are another moment's.

    window [2R+1, H, W]  rows 0 2 4 ...  --> engine --\\
                         rows 1 3 5 ...  --> engine --- woven --> enhanced [H, W]
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import BackendError, ModelError
from runtime.engine import Choice, Engine, EngineRequest, Enhanced, Guide, Luma, open_engine

TOP, BOTTOM = 0, 1  # the first row of each


def open_field_engine(request: EngineRequest, backend: str = "auto") -> Choice:
    """Open an engine for frames of two fields; see `open_engine`.

    Args:
        request: its height is that of whole frames.
    """
    height = field_height(request.height)
    field_request = replace(request, height=height)
    try:
        choice = open_engine(field_request, backend)
    except (BackendError, ModelError) as error:
        raise type(error)(
            f"{error}\nThe video is interlaced: an engine takes its fields, {request.width}x{height}, not its frames, "
            f"{request.width}x{request.height}."
        ) from error
    return replace(choice, engine=FieldEngine(choice.engine, _second_engine(field_request, choice.engine)))


def _second_engine(request: EngineRequest, engine: Engine) -> Engine:
    """Return the bottom fields' engine: the same, but for a recurrent network, which remembers one of the two alone."""
    if not request.model.manifest.is_recurrent:
        return engine
    return open_engine(replace(request, precision=engine.precision), engine.backend).engine


def field_height(height: int) -> int:
    """Return how many rows the engine takes: those of the top field, which has one more where the height is odd."""
    return (height + 1) // 2


class FieldEngine:
    """An engine for whole frames around those for their fields; see `Engine`."""

    def __init__(self, engine: Engine, bottom: Engine | None = None) -> None:
        """Take an engine for both fields, or two that are alike."""
        self._engines = engine, bottom or engine
        self.backend, self.precision, self.device = engine.backend, engine.precision, engine.device

    def enhance(self, frames: Luma, qp: float | None = None, guide: Guide | None = None) -> Enhanced:
        """Enhance both fields of a window's target, each from the window's fields of its own parity."""
        top, bottom = (self._enhance_field(parity, frames, qp, guide) for parity in (TOP, BOTTOM))
        woven = np.empty_like(frames[0])
        woven[TOP::2] = top.luma
        woven[BOTTOM::2] = bottom.luma[: frames.shape[1] // 2]
        return Enhanced(woven, top.is_finite and bottom.is_finite)

    def reset(self) -> None:
        """See `Engine`."""
        for engine in self._engines:
            engine.reset()

    def _enhance_field(self, parity: int, frames: Luma, qp: float | None, guide: Guide | None) -> Enhanced:
        rows = _rows(parity, frames.shape[1])
        field_guide = None if guide is None else guide.take(rows, axis=0)
        return self._engines[parity].enhance(frames.take(rows, axis=1), qp, field_guide)


def _rows(parity: int, height: int) -> NDArray[np.int64]:
    """Number the rows of a field; of an odd height the bottom field's last row comes twice, for it has one less."""
    rows = np.arange(parity, 2 * field_height(height), 2)
    return np.where(rows < height, rows, max(height - 2, 0))
