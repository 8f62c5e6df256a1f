"""Engines as the pipeline uses them: frames go to where the engine computes, windows are submitted, results awaited.

    slots.write() ..... submit() ..... pending.wait() ..... pending.result()
       upload            compute                  download

On a device the three go on at the same time for different frames. An engine on the CPU computes inside submit(), and
has its result at once.
"""

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from runtime.engine import Engine, Enhanced, Guide
from runtime.slots import HostSlots, Luma, RingLayout, Slots

WindowT = TypeVar("WindowT")


class Pending(Protocol):
    """A window under way."""

    def wait(self) -> float:
        """Wait until it is computed; returns how many seconds the device took, 0.0 where submit() did the work."""

    def result(self) -> Enhanced:
        """Return the enhanced luma, once, waiting for it; the window's slots are not read any more then."""


@runtime_checkable
class StreamingEngine(Engine, Protocol[WindowT]):
    """An engine that holds its frames itself."""

    def open_slots(self, layout: RingLayout) -> Slots[WindowT]:
        """Make room for a ring of frames and prepare everything that its windows need; the caller closes it.

        Raises:
            BackendError: there is not enough memory.
        """

    def submit(self, window: WindowT, qp: float | None = None, guide: Guide | None = None) -> Pending:
        """Begin to enhance a window of an open ring, from one thread at a time; results are to be taken in order.

        What reset() begins is for the windows submitted after it, from the same thread.

        Args:
            window: of slots.window(); its slots must not be written until the result was taken.
            qp: see `Engine.enhance`; so is `guide`.
        """


@dataclass(frozen=True)
class Done:
    """A result that is there already."""

    enhanced: Enhanced

    def wait(self) -> float:
        """See `Pending`."""
        return 0.0

    def result(self) -> Enhanced:
        """See `Pending`."""
        return self.enhanced


class HostStreaming:
    """An engine that takes its windows from the host's memory."""

    def __init__(self, engine: Engine, frame_shape: tuple[int, ...]) -> None:
        self._engine, self._frame_shape = engine, frame_shape
        self.backend, self.precision, self.device = engine.backend, engine.precision, engine.device

    def enhance(self, frames: Luma, qp: float | None = None, guide: Guide | None = None) -> Enhanced:
        """See `Engine`."""
        return self._engine.enhance(frames, qp, guide)

    def reset(self) -> None:
        """See `Engine`."""
        self._engine.reset()

    def open_slots(self, layout: RingLayout) -> HostSlots:
        """See `StreamingEngine`."""
        return HostSlots(layout, self._frame_shape)

    def submit(self, window: Luma, qp: float | None = None, guide: Guide | None = None) -> Done:
        """See `StreamingEngine`; computes before it returns."""
        return Done(self._engine.enhance(window, qp, guide))


def streaming(engine: Engine, frame_shape: tuple[int, ...]) -> StreamingEngine[Any]:
    """Return the engine as the pipeline uses it; `frame_shape` is [H, W], or [H, W, 2] for byte pairs."""
    return engine if isinstance(engine, StreamingEngine) else HostStreaming(engine, frame_shape)
