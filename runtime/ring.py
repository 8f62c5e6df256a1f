"""A ring of luma frames in which every window is one contiguous view.

    slots     0 1 2 ... N-1 | copies of 0 .. 2R-1         N = 2R + 1 + ahead
    window         [start .. start + 2R]                  never wraps: past N-1 it reads the copies

A frame comes in once; those of the first 2R slots go to their copy too. Before a scene its first frame fills R slots
and after it its last one: time stands still there, and no window sees across a cut that was told by end_scene(). A slot
is rewritten only after the last window that reads it was released.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.stages import Stages

Luma = NDArray[np.uint8]


@dataclass(frozen=True)
class Window:
    """2R+1 frames around a target.

    `frames` [2R+1, H, W] (or [2R+1, H, W, 2] for byte pairs) is a view into the ring: valid until release().
    """

    number: int
    frames: Luma
    end: int
    ring: "FrameRing"

    def release(self) -> None:
        """Give the slots back; once, when nothing reads `frames` any more."""
        self.ring.release(self)


class FrameRing:
    """Frames in from one thread, windows out to another, both in order."""

    def __init__(self, radius: int, ahead: int, frame_shape: tuple[int, ...], stages: Stages | None = None) -> None:
        """Make room for windows of 2R+1 frames and `ahead` >= 1 frames written before they are needed."""
        if radius < 0 or ahead < 1:
            raise ValueError(f"radius {radius} and ahead {ahead}: at least 0 and 1 are needed")
        self.radius, self.ahead = radius, ahead
        self.n_slots = 2 * radius + 1 + ahead
        self._slots: Luma = np.empty((self.n_slots + 2 * radius, *frame_shape), np.uint8)
        self._stages = stages or Stages()
        self._changed = self._stages.condition()
        self._position = 0  # the next one to write; its slot is position % n_slots
        self._scene_start = 0
        self._n_targets = 0
        self._ready: list[Window] = []
        self._unreleased: set[int] = set()  # ends of the windows handed out or ready
        self._is_finished = False

    def write(self, luma: Luma) -> None:
        """Take the next frame of the scene, waiting for a free slot; `luma` is copied.

        Raises:
            Stopped: the run ended while waiting.
        """
        if self._position == self._scene_start:
            for _ in range(self.radius):
                self._append(luma)
        self._append(luma)

    def end_scene(self) -> None:
        """Repeat the last frame R times, so that every frame of the scene has its window; another scene may follow."""
        if self._position > self._scene_start:
            last = self._slots[(self._position - 1) % self.n_slots].copy()
            for _ in range(self.radius):
                self._append(last)
        self._scene_start = self._position

    def finish(self) -> None:
        """End the last scene and let windows() end after its last target."""
        self.end_scene()
        with self._changed:
            self._is_finished = True
            self._changed.notify_all()

    def windows(self) -> Iterator[Window]:
        """Yield the window of every frame written, in order; each must be released without waiting for a later one."""
        while True:
            with self._changed:
                self._stages.wait(self._changed, lambda: bool(self._ready) or self._is_finished)
                if not self._ready:
                    return
                window = self._ready.pop(0)
            yield window

    def release(self, window: Window) -> None:
        """Let the slots that only this window still needed be written again."""
        with self._changed:
            self._unreleased.remove(window.end)
            self._changed.notify_all()

    def _append(self, luma: Luma) -> None:
        position, slot = self._position, self._position % self.n_slots
        with self._changed:
            self._stages.wait(self._changed, lambda: self._is_free(position))
        self._slots[slot] = luma
        if slot < 2 * self.radius:
            self._slots[slot + self.n_slots] = luma
        with self._changed:
            self._position += 1
            if self._position - self._scene_start > 2 * self.radius:
                self._announce(position)
            self._changed.notify_all()

    def _is_free(self, position: int) -> bool:
        """Tell whether no window still reads the frame that `position` overwrites, n_slots before it."""
        last_reader = position - self.n_slots + 2 * self.radius
        return not any(end <= last_reader for end in self._unreleased)

    def _announce(self, end: int) -> None:
        """Queue the window that ends at a position: its 2R+1 frames are all of one scene."""
        start = (end - 2 * self.radius) % self.n_slots
        frames = self._slots[start : start + 2 * self.radius + 1]
        self._ready.append(Window(self._n_targets, frames, end, self))
        self._unreleased.add(end)
        self._n_targets += 1
