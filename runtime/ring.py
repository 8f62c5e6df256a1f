"""A ring of luma frames in which no window wraps around.

    slots     0 1 2 ... N-1 | copies of 0 .. 2S-1         N = 2S + 1 + ahead
    window         [start .. start + 2S]                  past N-1 it reads the copies

S is the layout's reach: the radius R, or more where a window may hold frames that are farther apart. A frame comes in
once; those of the first 2S slots go to their copy too. Before a scene its first frame fills S slots and after it its
last one: time stands still there, and no window sees across a cut that was told by end_scene(). A slot is rewritten
only after the last window that reads it was released. Where the places are, in the host's memory or in a device's, is
the slots' own matter.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cvqe.neighbors import distances
from runtime.slots import Slots
from runtime.stages import Stages

Luma = NDArray[np.uint8]
WindowT = TypeVar("WindowT")


@dataclass(frozen=True)
class Window(Generic[WindowT]):
    """2R+1 frames around a target.

    `frames` is what the engine takes: in the host's memory [2R+1, H, W] (or [2R+1, H, W, 2] for byte pairs); valid
    until release(). `begins_scene`: its target is the first one of a scene.
    """

    number: int
    frames: WindowT
    end: int
    begins_scene: bool
    ring: "FrameRing[WindowT]"

    def release(self) -> None:
        """Give the slots back; once, when nothing reads `frames` any more."""
        self.ring.release(self)


class FrameRing(Generic[WindowT]):
    """Frames in from one thread, windows out to another, both in order."""

    def __init__(self, slots: Slots[WindowT], stages: Stages | None = None) -> None:
        self.slots = slots
        self.reach, self.n_slots = slots.layout.reach, slots.layout.n_slots
        self._stages = stages or Stages()
        self._changed = self._stages.condition()
        self._position = 0  # the next one to write; its slot is position % n_slots
        self._scene_start = 0
        self._n_written = self._n_targets = 0
        self._order_counts: deque[int] = deque()  # of the frames whose windows are not complete yet
        self._qps: list[float | None] = [None] * self.n_slots
        self._ready: list[Window[WindowT]] = []
        self._unreleased: set[int] = set()  # ends of the windows handed out or ready
        self._is_finished = False

    def write(self, luma: Luma, order_count: int | None = None, qp: float | None = None) -> None:
        """Take the next frame of the scene, waiting for a free slot.

        Args:
            luma: copied.
            order_count: of the frame since its coder's pattern began, which may choose its neighbors; None: its number.
            qp: quantiser it was coded at, which may do so, too; None: unknown.

        Raises:
            Stopped: the run ended while waiting.
        """
        self._order_counts.append(self._n_written if order_count is None else order_count)
        self._n_written += 1
        is_first = self._position == self._scene_start
        self._append(luma, qp)
        if is_first:
            self._repeat_last()

    def end_scene(self) -> None:
        """Repeat the last frame S times, so that every frame of the scene has its window; another scene may follow."""
        if self._position > self._scene_start:
            self._repeat_last()
        self._scene_start = self._position

    def finish(self) -> None:
        """End the last scene and let windows() end after its last target."""
        self.end_scene()
        with self._changed:
            self._is_finished = True
            self._changed.notify_all()

    def windows(self) -> Iterator[Window[WindowT]]:
        """Yield the window of every frame written, in order; each must be released without waiting for a later one."""
        while True:
            with self._changed:
                self._stages.wait(self._changed, lambda: bool(self._ready) or self._is_finished)
                if not self._ready:
                    return
                window = self._ready.pop(0)
            yield window

    def release(self, window: Window[WindowT]) -> None:
        """Let the slots that only this window still needed be written again."""
        with self._changed:
            self._unreleased.remove(window.end)
            self._changed.notify_all()

    def _repeat_last(self) -> None:
        """Append the frame of the last position S times; it comes from its slot, not from outside a second time."""
        last = (self._position - 1) % self.n_slots
        for _ in range(self.reach):
            self._append(last, self._qps[last])

    def _append(self, frame: Luma | int, qp: float | None) -> None:
        """Append a new frame, or the one of another slot."""
        position, slot = self._position, self._position % self.n_slots
        with self._changed:
            self._stages.wait(self._changed, lambda: self._is_free(position))
        if isinstance(frame, int):
            self.slots.copy(frame, slot)
        else:
            self.slots.write(slot, frame)
        self._qps[slot] = qp
        if slot < 2 * self.reach:
            self.slots.copy(slot, slot + self.n_slots)
        with self._changed:
            self._position += 1
            if self._position - self._scene_start > 2 * self.reach:
                self._announce(position)
            self._changed.notify_all()

    def _is_free(self, position: int) -> bool:
        """Tell whether no window still reads the frame that `position` overwrites, n_slots before it."""
        last_reader = position - self.n_slots + 2 * self.reach
        return not any(end <= last_reader for end in self._unreleased)

    def _announce(self, end: int) -> None:
        """Queue the window among the 2S+1 frames that end at a position, which are all of one scene."""
        start = (end - 2 * self.reach) % self.n_slots
        qps = [self._qps[(start + place) % self.n_slots] for place in range(2 * self.reach + 1)]
        apart = distances(self.slots.layout.neighbors, self._order_counts.popleft(), qps)
        frames = self.slots.window(start, apart)
        begins_scene = end - self._scene_start == 2 * self.reach
        self._ready.append(Window(self._n_targets, frames, end, begins_scene, self))
        self._unreleased.add(end)
        self._n_targets += 1
