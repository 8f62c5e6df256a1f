"""A subject that needs no network: one of FFmpeg's filters, as anybody can use it today.

Each has the strength that gained most PSNR-Y on six training clips (HEVC low-delay P, QP 37), so that the table is
fair to it at that QP (finer ones they blur). With FFmpeg's own strengths deblock loses 0.05 dB there and atadenoise
0.01 dB, nlmeans gains 0.03 dB and bm3d nothing.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat

from cvqe.errors import BackendError, InputError, UsageError
from cvqe.frame import Frame, Luma, luma_view
from training.evaluation.cases import Case
from training.evaluation.luma_clip import LumaClip
from training.evaluation.subject import FFMPEG, Facts, Frames, TimedFrame

STRENGTHS = {
    "deblock": "filter=weak:block=8:alpha=0.02:beta=0.01:gamma=0.01:delta=0.01",
    "nlmeans": "s=2:p=5:r=11",
    "bm3d": "sigma=10",
    "atadenoise": "0a=0.01:0b=0.02:s=5",
}
FORMAT = "gray"  # luma is filtered alone, as it would be among other planes
TIME_BASE = Fraction(1, 25)


@dataclass(frozen=True)
class FfmpegFilter:
    """A filter by FFmpeg's name and its options; temporal ones give their frames late."""

    name: str
    filter: str
    options: str
    threads: int = 0

    def facts(self, case: Case) -> Facts:
        """See Subject."""
        return Facts(self.name, f"{FFMPEG} {av.ffmpeg_version_info}", settings=self.options, is_steady=False)

    def needs_partitions(self, case: Case) -> bool:
        """See Subject."""
        return False

    def enhance(self, case: Case, decoded: LumaClip) -> Frames:
        """See Subject; a frame's time is what passed inside the filter since the one before.

        Raises:
            InputError: the clip has more than 8 bit, which not all filters take.
            BackendError: FFmpeg does not know the filter, or refuses its options.
        """
        if decoded.bit_depth != 8:
            raise InputError(f"{decoded.path} has {decoded.bit_depth} bit a sample; peers are measured on 8-bit clips.")
        graph = self._graph(decoded.width, decoded.height)
        waiting_ms = 0.0
        for picture in _pictures(decoded.frames):
            start = time.perf_counter()
            graph.push(picture)
            filtered = list(_pulled(graph))
            waiting_ms += 1000 * (time.perf_counter() - start)
            if filtered:
                yield from [TimedFrame(luma, waiting_ms / len(filtered)) for luma in filtered]
                waiting_ms = 0.0

    def _graph(self, width: int, height: int) -> Graph:
        graph = Graph()
        graph.threads = self.threads
        try:
            chain = [
                graph.add_buffer(width=width, height=height, format=VideoFormat(FORMAT), time_base=TIME_BASE),
                graph.add(self.filter, self.options or None),
                graph.add("format", FORMAT),
                graph.add("buffersink"),
            ]
            graph.link_nodes(*chain).configure()
        except (ValueError, av.FFmpegError) as error:
            raise BackendError(
                f"FFmpeg does not take the filter {self.filter}={self.options} ({error}); its peers here are "
                f"{', '.join(STRENGTHS)}, options as in  --peer nlmeans=s=2:p=5:r=11"
            ) from error
        return graph


def ffmpeg_filter(spelling: str, threads: int) -> FfmpegFilter:
    """Read `FILTER`, with the strength given here, or `FILTER=OPTIONS` in FFmpeg's spelling.

    Raises:
        UsageError: a filter that has no strength here, and was given none.
    """
    name, has_options, options = spelling.partition("=")
    if not has_options and name not in STRENGTHS:
        raise UsageError(f"no peer {name!r}; choose among {', '.join(STRENGTHS)}, or give its options: {name}=OPTIONS")
    return FfmpegFilter(spelling, name, options if has_options else STRENGTHS[name], threads)


def _pictures(frames: Iterator[Frame]) -> Iterator[av.VideoFrame | None]:
    """Yield luma planes as pictures, and None for the end."""
    for frame in frames:
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.luma), format=FORMAT)
        picture.pts, picture.time_base = frame.number, TIME_BASE
        yield picture
    yield None


def _pulled(graph: Graph) -> Iterator[Luma]:
    """Yield copies of what the filter has ready."""
    while True:
        try:
            picture = graph.vpull()
        except (BlockingIOError, EOFError):  # it wants more, or gave its last
            return
        yield luma_view(picture).copy()
