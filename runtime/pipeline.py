"""The five stages of a run: decode, upload, compute, download, encode, each in a thread of its own.

decode --frames--> upload --ring--> compute --submitted--> download --outgoing--> encode
   |                  \\--pending--/                                                 ^
   \\-------------------------- packets of other streams ---------------------------/

On a GPU compute only submits a window and goes on with the next, so that the upload of one frame, the computing of
another and the download of a third go on at once; on a CPU it computes, and download passes the result on. Upload,
which else has the least to do, looks for scene cuts, and makes the guides of a network that takes them.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from cvqe.errors import BackendError
from cvqe.frame import Frame, luma_shape, with_luma
from runtime.coding_order import CodingOrder
from runtime.copied_packet import CopiedPacket
from runtime.decoder import Source
from runtime.encoder import Sink
from runtime.engine import Engine, Enhanced, Guide
from runtime.latency import Latency
from runtime.meter import Meter
from runtime.ring import FrameRing, Window
from runtime.scene_cuts import SceneCuts, with_thumbnails
from runtime.slots import RingLayout
from runtime.split_view import before_and_after
from runtime.stages import Channel, Stages
from runtime.streaming import Done, Pending, streaming

CHANNEL_FRAMES = 4  # decoded frames, or enhanced ones and packets, that may wait between two stages


@dataclass(frozen=True)
class PendingFrame:
    """A frame whose window is not complete yet, and its guide."""

    frame: Frame
    guide: Guide | None


@dataclass(frozen=True)
class SubmittedFrame:
    """A frame that is being enhanced, the window that is read meanwhile, and when that began; None: it is not."""

    frame: Frame
    window: Window[Any]
    pending: Pending
    begun_s: float | None


@dataclass(frozen=True)
class EnhancedFrame:
    """A frame and its new luma, or the decoded one where the network broke down; when it began to be enhanced."""

    frame: Frame
    luma: NDArray[np.uint8]
    is_fallen_back: bool
    begun_s: float | None


@dataclass
class Progress:
    """What the stages have done so far; each count is written by one thread only, seconds under a lock.

    busy_s: what each stage worked, without its waiting for others; of a device's compute, what the device did.
    """

    n_decoded: int = 0
    n_written: int = 0
    n_fallen_back: int = 0
    n_scene_cuts: int = 0
    busy_s: dict[str, float] = field(default_factory=dict)


class Pipeline:
    """One source through one engine into one sink; frames in == frames out, in order, with their own time stamps.

    `qp_of` says which quantiser the engine is told with a frame: its own, unless something else is asked for.
    `guide_of` makes its guide; None where the network takes none. With `by_scene` no window reaches across a cut.
    `is_split` leaves the left half of every written picture as it was decoded. `latency` says which frames aren't
    enhanced, to keep up. `is_recurrent`: the network goes on from what the frames before left behind.
    """

    def __init__(
        self,
        source: Source,
        engine: Engine,
        sink: Sink,
        layout: RingLayout,
        meter: Meter | None = None,
        qp_of: Callable[[Frame], float | None] = attrgetter("qp"),
        guide_of: Callable[[Frame], Guide] | None = None,
        by_scene: bool = True,
        is_split: bool = False,
        latency: Latency | None = None,
        is_recurrent: bool = False,
    ) -> None:
        self.source, self.sink, self.meter, self.qp_of, self.guide_of = source, sink, meter, qp_of, guide_of
        self.by_scene, self.is_split, self.is_recurrent = by_scene, is_split, is_recurrent
        self.latency = latency or Latency()
        self.progress = Progress()
        self.stages = Stages()
        self.wants_end = threading.Event()  # set: decode no further, finish what is under way
        info = source.info
        self.engine = streaming(engine, luma_shape(info.height, info.width, info.bit_depth))
        self.ring = FrameRing(self.engine.open_slots(layout), self.stages)
        self.frames: Channel[Frame] = self.stages.channel(CHANNEL_FRAMES)
        # a frame waits here while the ring collects its future: as many as the ring holds
        self.pending: Channel[PendingFrame] = self.stages.channel(self.ring.n_slots + 1)
        # no bound of its own: the ring hands out no window while ahead + 1 are not released
        self.submitted: Channel[SubmittedFrame] = self.stages.channel(self.ring.n_slots)
        self.outgoing: Channel[EnhancedFrame | CopiedPacket] = self.stages.channel(CHANNEL_FRAMES)
        self._busy_lock = threading.Lock()
        self._broke_down = threading.Event()

    def run(self, on_progress: Callable[[Progress], None] | None = None) -> Progress:
        """Run all stages to the end of the source.

        Raises:
            CvqeError, FFmpegError, ...: the first error of any stage, after all stages have ended.
        """
        self.stages.start("decode", self.decode)
        self.stages.start("upload", self.upload)
        self.stages.start("compute", self.compute)
        self.stages.start("download", self.download)
        self.stages.start("encode", lambda: self.encode(on_progress))
        try:
            self.stages.join()
        finally:
            if not self.stages.is_stuck():  # a thread that hangs may still use the ring
                self.ring.slots.close()
        return self.progress

    def end_early(self) -> None:
        """Let the decoder stop after the frame it is at; what is under way is finished."""
        self.wants_end.set()
        self.source.stop()

    def _is_over(self) -> bool:
        return self.wants_end.is_set() or self.stages.is_stopped

    @contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """Add the time inside to a stage's share, less what it waits for other stages."""
        start = time.perf_counter() - self.stages.waited_s()
        try:
            yield
        finally:
            self._add_busy(stage, time.perf_counter() - self.stages.waited_s() - start)

    def _add_busy(self, stage: str, seconds: float) -> None:
        with self._busy_lock:
            self.progress.busy_s[stage] = self.progress.busy_s.get(stage, 0.0) + seconds

    def decode(self) -> None:
        """Hand frames to upload, and other streams' packets past everything to encode."""
        items = self.source.items()
        while not self.wants_end.is_set():
            with self.busy("decode"):
                item = next(items, None)
            if item is None:
                break
            if isinstance(item, Frame):
                self.progress.n_decoded += 1
                self.frames.put(self.latency.due(item, self._is_over))
            else:
                self.outgoing.put(item)
        self.frames.end()

    def upload(self) -> None:
        """Look for cuts, make every frame's guide, and copy its luma to where the engine computes, once."""
        order = CodingOrder()
        for frame, begins_scene in self._by_scene():
            self.progress.n_scene_cuts += begins_scene
            if frame.follows_gap:
                order = CodingOrder()
            if begins_scene or frame.follows_gap:
                self.ring.end_scene()
            self.pending.put(PendingFrame(frame, self._guide(frame)))
            luma = frame.luma
            with self.busy("upload"):
                self.ring.write(luma, order.count(frame), frame.qp)
        self.ring.finish()

    def _by_scene(self) -> Iterator[tuple[Frame, bool]]:
        """Yield frames, and whether another scene begins with them."""
        if not self.by_scene:
            yield from ((frame, False) for frame in self.frames)
            return
        told = SceneCuts[Frame]().follow(with_thumbnails(self.frames))
        while True:
            with self.busy("cuts"):
                found = next(told, None)
            if found is None:
                return
            yield found

    def _guide(self, frame: Frame) -> Guide | None:
        if self.guide_of is None:
            return None
        with self.busy("guide"):
            return self.guide_of(frame)

    def compute(self) -> None:
        """Have each window's target enhanced."""
        for window in self.ring.windows():
            waiting = self.pending.get()
            assert waiting.frame.number == window.number
            with self.busy("compute"), self._explained(window):
                self._reset_before(window)
                self.submitted.put(self._submitted(window, waiting))
        self.submitted.end()

    def _reset_before(self, window: Window[Any]) -> None:
        """Let a recurrent network forget the scene before, or a state that is no number any more."""
        if window.begins_scene or self._broke_down.is_set():
            self._broke_down.clear()
            self.engine.reset()

    def _submitted(self, window: Window[Any], waiting: PendingFrame) -> SubmittedFrame:
        frame = waiting.frame
        qp = self.qp_of(frame)  # of every frame: what is told of one may be that of the last that knew it
        # an earlier run has enhanced it, or there is no time left to; a recurrent network needs what the former leave
        # behind, and sees them again
        is_found = frame.number < self.sink.n_found and not self.is_recurrent
        if is_found or self.latency.skips(frame):
            return SubmittedFrame(frame, window, Done(Enhanced(frame.luma, is_finite=True)), None)
        begun_s = time.monotonic()
        return SubmittedFrame(frame, window, self.engine.submit(window.frames, qp, waiting.guide), begun_s)

    def download(self) -> None:
        """Take the results; where the network breaks down the decoded luma stays."""
        for submitted in self.submitted:
            frame, window, pending = submitted.frame, submitted.window, submitted.pending
            with self._explained(window):
                self._add_busy("compute", pending.wait())
                with self.busy("download"):
                    enhanced = pending.result()
            window.release()
            if not enhanced.is_finite:
                self._broke_down.set()  # what a recurrent network left behind may be no number either
                self.progress.n_fallen_back += frame.number >= self.sink.n_found
            luma = enhanced.luma if enhanced.is_finite else frame.luma
            self.outgoing.put(EnhancedFrame(frame, luma, not enhanced.is_finite, submitted.begun_s))
        self.outgoing.end()

    @contextmanager
    def _explained(self, window: Window[Any]) -> Iterator[None]:
        """Say of what a backend raises at which frame it was."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:  # out of memory most of all
            raise BackendError(
                f"{self.engine.backend} failed at frame {window.number} ({error or type(error).__name__}). "
                "Try another one:  --backend onnxruntime"
            ) from error

    def _shown(self, item: EnhancedFrame) -> av.VideoFrame:
        frame, luma = item.frame, item.luma
        return with_luma(frame.picture, before_and_after(frame.luma, luma, frame.peak) if self.is_split else luma)

    def encode(self, on_progress: Callable[[Progress], None] | None = None) -> None:
        """Encode frames, copy packets, measure."""
        for item in self.outgoing:
            if isinstance(item, CopiedPacket):
                with self.busy("encode"):
                    self.sink.copy_packet(item)
                continue
            if item.frame.number < self.sink.n_found:
                self._skip(item.frame)
            else:
                self._write(item)
            self.progress.n_written += 1
            self.latency.see_written(item.frame, self.progress.n_decoded, item.begun_s)
            if on_progress:
                on_progress(self.progress)

    def _skip(self, frame: Frame) -> None:
        if self.meter:
            self.meter.skip()
        with self.busy("encode"):
            self.sink.skip_frame(frame.picture)

    def _write(self, item: EnhancedFrame) -> None:
        if self.meter:
            with self.busy("measure"):
                self.meter.measure(item.frame.luma, item.luma)
        with self.busy("encode"):
            self.sink.write_frame(self._shown(item), item.is_fallen_back)
