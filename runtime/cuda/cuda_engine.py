"""The engine protocol on an NVIDIA GPU, for any library that runs a network on device addresses.

              frame n+1                  frame n                          frame n-1
    upload    wait staging, H2D, (copy)  [qp, guide H2D]
                       | uploaded[place]      | fed[phase]
    compute            '------------> wait both, (gather), network        computed[phase]
                                                                              |
    download                                                                  '-> wait, D2H -> downloaded[lane]

Each row is a stream; frames of different columns are at work at the same time. Who may touch what:

    staging   the uploading thread waits on the host until the last copy from it is done, then writes
    place     FrameRing lets it be written again once the results of all its windows were taken: the device has read it
    hidden    of a recurrent network: read, written, copied and zeroed in the compute stream alone
    phase     inputs, outputs and graph of one start slot and spacing; out once at a time, because its place is
    lane      page-locked memory a result comes back in; ahead + 1 of them, as many as windows may be out

So the device waits for events only where work is handed from stream to stream (uploaded, fed, computed), and the host
only where it reuses or reads memory (staging, downloaded). Where H*W (times 2 for byte pairs) is no multiple of 256
bytes, most windows begin at an address that TensorRT refuses, and where they hold every other frame they are not in one
piece: these are gathered, in the graph, before the network.
"""

import weakref

import numpy as np

from cvqe.manifest import PEAK
from runtime.cuda.device_slots import DeviceSlots
from runtime.cuda.driver import Cuda
from runtime.cuda.gpu import Gpu
from runtime.cuda.network import DeviceNetwork
from runtime.cuda.phase import PendingWindow, Phase
from runtime.engine import EngineRequest, Enhanced, Guide, Luma, frame_inputs, names_of_frame_inputs
from runtime.slots import RingLayout


class CudaEngine:
    """A network on a GPU; see `Engine` and `StreamingEngine`."""

    def __init__(self, cuda: Cuda, network: DeviceNetwork, request: EngineRequest) -> None:
        """Take over device and network; both are closed with the engine, or when this fails.

        Raises:
            BackendError: the network's inputs or outputs are not those of an exported one, or memory is short.
        """
        self.backend, self.precision, self.device = network.backend, network.precision, cuda.device.name
        self._manifest = request.model.manifest
        # above 8 bit the network takes byte pairs, and is told the largest sample
        constants = {} if request.bit_depth <= 8 else {PEAK: np.array(2**request.bit_depth - 1, np.float32)}
        per_frame, is_recurrent = names_of_frame_inputs(self._manifest), self._manifest.is_recurrent
        self._gpu = Gpu(cuda, network, constants, per_frame, is_recurrent)
        self._own_slots: DeviceSlots | None = None
        # an engine that nobody closed still gives its memory back, at the latest before the interpreter ends
        self._finalizer = weakref.finalize(self, self._gpu.close)

    def open_slots(self, layout: RingLayout) -> DeviceSlots:
        """See `StreamingEngine`."""
        return DeviceSlots(self._gpu, layout)

    def submit(self, window: Phase, qp: float | None = None, guide: Guide | None = None) -> PendingWindow:
        """See `StreamingEngine`."""
        self._gpu.cuda.use()
        return window.submit(frame_inputs(self._manifest, self._gpu.frame_shape[:2], qp, guide))

    def enhance(self, frames: Luma, qp: float | None = None, guide: Guide | None = None) -> Enhanced:
        """See `Engine`; uploads the whole window and waits, so a stream is faster through open_slots and submit."""
        slots = self._slots_for_one_window()
        for place, frame in enumerate(frames):
            slots.write(place, frame)
        return self.submit(slots.window(0), qp, guide).result()

    def reset(self) -> None:
        """See `Engine`; returns at once, and is for the windows submitted later."""
        self._gpu.cuda.use()
        self._gpu.hidden.reset()

    def prepare(self) -> None:
        """Get ready for enhance(): the network runs once, so that memory, drivers and libraries are known to do.

        Raises:
            BackendError: one of them does not.
        """
        self._slots_for_one_window()

    def close(self) -> None:
        """Give everything back: open slots, network, device."""
        self._finalizer()

    def _slots_for_one_window(self) -> DeviceSlots:
        if self._own_slots is None:
            layout = RingLayout(self._manifest.radius, ahead=1)
            self._own_slots = DeviceSlots(self._gpu, layout, starts=[0])
        return self._own_slots
