"""One place for a window to start in: its own inputs, outputs and graph, at addresses that never change."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.manifest import ENHANCED, MEAN, WINDOW
from runtime.cuda.gpu import Gpu
from runtime.cuda.library_errors import library_errors
from runtime.cuda.network import Launch
from runtime.cuda.resources import Resources
from runtime.engine import Enhanced

Feeds = Mapping[str, NDArray[Any]]


class Lane:
    """Page-locked memory that one result at a time goes through on its way to the host."""

    def __init__(self, gpu: Gpu, resources: Resources) -> None:
        memory = resources.pinned_memory(gpu.outputs.size_bytes)
        self.address, self.outputs = memory.address, gpu.outputs.views(memory)
        self.downloaded = resources.event()
        self.is_taken = False

    def enhanced(self) -> Enhanced:
        """Return a copy of what was downloaded."""
        return Enhanced(self.outputs[ENHANCED][0, 0].copy(), bool(np.isfinite(self.outputs[MEAN]).all()))


class Phase:
    """The window that starts in one slot: addresses of its frames, and `uploaded`, the event of the newest of them."""

    def __init__(
        self,
        gpu: Gpu,
        resources: Resources,
        frames: Sequence[int] | None,
        uploaded: int,
        gathered: int | None,
        lanes: Iterator[Lane],
    ) -> None:
        """Prepare the network for this window and hold it in a graph.

        Args:
            frames: None where they are others every time, which choose() tells.
            gathered: where the frames are copied to first; None for a window that can be read where it is: in one
                piece.
            lanes: the ring's, in turn and without end.
        """
        self._gpu, self._uploaded, self._gathered = gpu, uploaded, gathered
        self._frames: Sequence[int] = frames or ()  # of every window
        self._chosen: Sequence[int] = ()  # of the next one alone
        self._lanes = lanes
        self._outputs = resources.device_memory(gpu.outputs.size_bytes, gpu.compute)
        self._started, self._computed = resources.event(is_timed=True), resources.event(is_timed=True)
        self._fed = resources.event()
        self._per_frame, self._staging = 0, None
        if gpu.per_frame.specs:
            self._per_frame = resources.device_memory(gpu.per_frame.size_bytes, gpu.compute)
            self._staging = resources.pinned_memory(gpu.per_frame.size_bytes)
        self._views = gpu.per_frame.views(self._staging) if self._staging else {}
        self._launch = self._prepared(resources)
        self.is_taken = False

    def choose(self, frames: Sequence[int]) -> None:
        """Say which frames the next window holds; not while it is under way."""
        assert not self._frames and not self.is_taken
        self._chosen = frames

    def submit(self, feeds: Feeds) -> "PendingWindow":
        """Put upload of the feeds, computing and download into the three streams; returns at once."""
        lane = next(self._lanes)
        assert not self.is_taken and not lane.is_taken, "a result was not taken before its place came round again"
        self.is_taken = lane.is_taken = True
        self._feed(feeds)
        self._compute()
        self._download(lane)
        return PendingWindow(self._gpu, self, lane)

    def _feed(self, feeds: Feeds) -> None:
        """Upload the inputs of this frame alone; the last ones were read long ago: their result has been taken."""
        assert feeds.keys() == self._views.keys()
        if self._staging is None:
            return
        for name, view in self._views.items():
            assert view.shape == feeds[name].shape
            view[...] = feeds[name]
        gpu = self._gpu
        gpu.cuda.copy_to_device(self._per_frame, self._staging.address, gpu.per_frame.size_bytes, gpu.upload)
        gpu.cuda.record(self._fed, gpu.upload)
        gpu.cuda.wait_event(gpu.compute, self._fed)

    def _compute(self) -> None:
        cuda, stream = self._gpu.cuda, self._gpu.compute
        cuda.wait_event(stream, self._uploaded)
        cuda.record(self._started, stream)
        self._gather(self._chosen)
        with library_errors(f"{self._gpu.network.backend} fails"):
            self._launch()
        cuda.record(self._computed, stream)

    def _download(self, lane: Lane) -> None:
        cuda, stream = self._gpu.cuda, self._gpu.download
        cuda.wait_event(stream, self._computed)
        cuda.copy_to_host(lane.address, self._outputs, self._gpu.outputs.size_bytes, stream)
        cuda.record(lane.downloaded, stream)

    def computed_s(self) -> float:
        """Wait until the window is computed; returns how long that took on the device, in seconds."""
        self._gpu.cuda.synchronize_event(self._computed)
        return self._gpu.cuda.elapsed_ms(self._started, self._computed) / 1000

    def _prepared(self, resources: Resources) -> Launch:
        """Let the network warm up, then return what puts a run into the compute stream: a graph's launch, if it can."""
        gpu = self._gpu
        window = self._gathered or self._frames[0]
        addresses = {
            WINDOW: window,
            **gpu.constants,
            **gpu.per_frame.addresses(self._per_frame),
            **gpu.outputs.addresses(self._outputs),
            **gpu.hidden.addresses,
        }
        gpu.cuda.synchronize_stream(gpu.compute)  # the memory is zero from here on, for every other stream too
        with library_errors(f"{gpu.network.backend} can't prepare this network"):
            launch = gpu.network.prepared(addresses, gpu.compute)
            gpu.cuda.synchronize_stream(gpu.compute)  # a kernel that breaks down does so now, not at the first frame
            run = self._with_copies(launch)
            resources.at_close(self._forget)
            if not gpu.network.is_capturable:
                return run
            graph = resources.graph(gpu.compute, run)
        return lambda: gpu.cuda.launch(graph, gpu.compute)

    def _with_copies(self, launch: Launch) -> Launch:
        """Return what gathers the window first where it must, and hands the hidden state on afterwards."""

        def run() -> None:
            self._gather(self._frames)
            launch()
            self._gpu.hidden.advance()

        return run

    def _gather(self, frames: Sequence[int]) -> None:
        """Copy frames to where the network reads them, in one copy if they lie back to back."""
        if not frames or self._gathered is None:
            return
        gpu, frame_bytes, target = self._gpu, self._gpu.frame_bytes, self._gathered
        pieces = [(frames[0], gpu.window.size_bytes)]
        if frames[-1] - frames[0] + frame_bytes != gpu.window.size_bytes:
            pieces = [(frame, frame_bytes) for frame in frames]
        for frame, size_bytes in pieces:
            gpu.cuda.copy_on_device(target, frame, size_bytes, gpu.compute)
            target += size_bytes

    def _forget(self) -> None:
        """Let go of what the library made to launch with, before the streams it was made for."""
        self._launch = _closed


def _closed() -> None:
    raise AssertionError("a window of a closed ring is submitted")


class PendingWindow:
    """A window under way on the device; see `Pending`."""

    def __init__(self, gpu: Gpu, phase: Phase, lane: Lane) -> None:
        self._gpu, self._phase, self._lane = gpu, phase, lane

    def wait(self) -> float:
        """See `Pending`."""
        self._gpu.cuda.use()
        return self._phase.computed_s()

    def result(self) -> Enhanced:
        """See `Pending`."""
        self._gpu.cuda.use()
        self._gpu.cuda.synchronize_event(self._lane.downloaded)
        enhanced = self._lane.enhanced()
        self._phase.is_taken = self._lane.is_taken = False
        return enhanced
