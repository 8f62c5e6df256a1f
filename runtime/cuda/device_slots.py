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

from runtime.cuda.gpu import Gpu
from runtime.cuda.phase import Lane, Phase
from runtime.cuda.resources import Resources
from runtime.cuda.tensor_block import aligned
from runtime.slots import Luma, RingLayout

N_STAGING = 2  # while one frame is copied to the device, the host writes the next


class Staging:
    """Page-locked memory that one frame at a time goes through on its way to the device."""

    def __init__(self, gpu: Gpu, resources: Resources) -> None:
        memory = resources.pinned_memory(gpu.frame_bytes)
        self.address: int = memory.address
        self.luma: Luma = memory.view(0, gpu.frame_shape, np.dtype(np.uint8))
        self.is_sent = resources.event()


class DeviceSlots:
    """See `Slots`; a window is a Phase. The frames lie back to back, as the network reads those of spacing 1."""

    def __init__(self, gpu: Gpu, layout: RingLayout, starts: Sequence[int] | None = None) -> None:
        """Take the memory and prepare the windows of every spacing that begin in `starts`, by default in every slot.

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
        self._phases = {}
        for spacing in self.layout.spacings:
            gathered = self._gathered(spacing)
            for start in starts:
                self._phases[start, spacing] = self._phase(self.layout.places(start, spacing), gathered, lanes)

    def _gathered(self, spacing: int) -> int | None:
        """Return where windows are gathered; None where they can be read: in one piece, from any place on."""
        gpu = self._gpu
        if spacing == 1 and gpu.frame_bytes == aligned(gpu.frame_bytes):
            return None
        return self._resources.device_memory(gpu.window.size_bytes, gpu.compute)

    def _phase(self, places: range, gathered: int | None, lanes: Iterator[Lane]) -> Phase:
        frames = [self._address(place) for place in places]
        return Phase(self._gpu, self._resources, frames, self._uploaded[places[-1]], gathered, lanes)

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

    def window(self, start: int, spacing: int = 1) -> Phase:
        """See `Slots`."""
        return self._phases[start, spacing]

    def close(self) -> None:
        """See `Slots`; waits for the device first. Again: nothing."""
        self._resources.close()

    def _address(self, place: int) -> int:
        return self._base + place * self._gpu.frame_bytes
