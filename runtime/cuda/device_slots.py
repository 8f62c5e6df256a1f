"""The places of a ring in the device's memory: every frame crosses the bus once.

luma -> staging (page-locked, two of them) --upload stream--> place --upload stream--> its copy
                                                                |  event `uploaded` of each place
                                                                v
                                                    windows that end there are computed
"""

import weakref
from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from cvqe.neighbors import Distances
from runtime.cuda.gpu import Gpu
from runtime.cuda.phase import Lane, Phase
from runtime.cuda.resources import Resources
from runtime.cuda.tensor_block import aligned
from runtime.slots import NEXT, Luma, RingLayout

N_STAGING = 2  # while one frame is copied to the device, the host writes the next


class Staging:
    """Page-locked memory that one frame at a time goes through on its way to the device."""

    def __init__(self, gpu: Gpu, resources: Resources) -> None:
        memory = resources.pinned_memory(gpu.frame_bytes)
        self.address: int = memory.address
        self.luma: Luma = memory.view(0, gpu.frame_shape, np.dtype(np.uint8))
        self.is_sent = resources.event()


class DeviceSlots:
    """See `Slots`; a window is a Phase. The frames lie back to back, as the network reads those next to each other."""

    def __init__(self, gpu: Gpu, layout: RingLayout, starts: Sequence[int] | None = None) -> None:
        """Take the memory and prepare the windows of every pattern that begin in `starts`, by default in every slot.

        Raises:
            BackendError: memory is short, or the network can't be prepared.
        """
        assert layout.n_window == gpu.n_window
        self.layout, self._gpu = layout, gpu
        self._resources = gpu.ring_resources()
        weakref.finalize(self, self._resources.close)  # for rings that nobody closed
        gpu.cuda.use()
        try:
            self._set_up(range(layout.n_slots) if starts is None else starts)
        except BaseException:
            self.close()
            raise

    def _set_up(self, starts: Sequence[int]) -> None:
        gpu, resources, n_places = self._gpu, self._resources, self.layout.n_places
        self._base = resources.device_memory(n_places * gpu.frame_bytes, gpu.compute)
        self._uploaded = [resources.event() for _ in range(n_places)]
        self._staging = cycle([Staging(gpu, resources) for _ in range(N_STAGING)])
        lanes = cycle([Lane(gpu, resources) for _ in range(self.layout.n_out)])
        self._phases: dict[tuple[int, Distances | None], Phase] = {}
        for pattern in self.layout.patterns or (None,):
            gathered = self._gathered(pattern)
            for start in starts:
                self._phases[start, pattern] = self._phase(start, pattern, gathered, lanes)

    def _gathered(self, pattern: Distances | None) -> int | None:
        """Return where windows are gathered; None where they can be read: in one piece, from any place on."""
        gpu = self._gpu
        if pattern == NEXT and gpu.frame_bytes == aligned(gpu.frame_bytes):
            return None
        return self._resources.device_memory(gpu.window.size_bytes, gpu.compute)

    def _phase(self, start: int, pattern: Distances | None, gathered: int | None, lanes: Iterator[Lane]) -> Phase:
        newest = self._uploaded[start + 2 * self.layout.reach]
        frames = None if pattern is None else self._addresses(start, pattern)
        return Phase(self._gpu, self._resources, frames, newest, gathered, lanes)

    def _addresses(self, start: int, distances: Distances) -> list[int]:
        return [self._address(place) for place in self.layout.places(start, distances)]

    def write(self, place: int, luma: Luma) -> None:
        """See `Slots`."""
        cuda, stream, staging = self._gpu.cuda, self._gpu.upload, next(self._staging)
        cuda.use()
        cuda.synchronize_event(staging.is_sent)  # the frame that went through here before
        np.copyto(staging.luma, luma)
        cuda.copy_to_device(self._address(place), staging.address, self._gpu.frame_bytes, stream)
        cuda.record(staging.is_sent, stream)
        cuda.record(self._uploaded[place], stream)

    def copy(self, source: int, target: int) -> None:
        """See `Slots`."""
        cuda, stream = self._gpu.cuda, self._gpu.upload
        cuda.use()
        cuda.copy_on_device(self._address(target), self._address(source), self._gpu.frame_bytes, stream)
        cuda.record(self._uploaded[target], stream)

    def window(self, start: int, distances: Distances = NEXT) -> Phase:
        """See `Slots`."""
        phase = self._phases.get((start, distances))
        if phase is None:
            phase = self._phases[start, None]
            phase.choose(self._addresses(start, distances))
        return phase

    def close(self) -> None:
        """See `Slots`; waits for the device first. Again: nothing."""
        self._resources.close()

    def _address(self, place: int) -> int:
        return self._base + place * self._gpu.frame_bytes
