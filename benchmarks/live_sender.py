"""A camera that is none: frames with their numbers in them, coded as they come and sent by UDP."""

import time
from collections.abc import Iterator
from itertools import count
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from benchmarks.numbered_pictures import MOST, write_number

RATE = 25
KEYFRAMES = 25  # frames from one to the next: who joins waits a second at most
CODER = {"preset": "veryfast", "tune": "zerolatency", "qp": "32", "g": str(KEYFRAMES)}
# each picture goes out at once, and its length is told, so that the reader need not wait for the next one
AT_ONCE = {"flush_packets": "1", "omit_video_pes_length": "0"}


def send(clip: Path, size: tuple[int, int], url: str, stop: Event, handed_s: "Queue[list[float]]") -> None:
    """Send frames in real time until told to stop; runs in a process of its own.

    Args:
        clip: what the frames show, over and over.
        size: width and height.
        url: whom they are sent to, as MPEG-TS.
        stop: set to end.
        handed_s: is given, at the end, when each frame was handed to the coder, by time.monotonic().
    """
    pictures = _numbered(_pictures(clip, size))
    times: list[float] = []
    with av.open(url, "w", format="mpegts", container_options=AT_ONCE) as container:
        video = container.add_stream("libx264", rate=RATE)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt, video.options = *size, "yuv420p", CODER
        start_s = time.monotonic()
        while not stop.is_set() and len(times) < MOST:
            picture = next(pictures)
            time.sleep(max(0.0, start_s + len(times) / RATE - time.monotonic()))
            times.append(time.monotonic())
            container.mux(video.encode(picture))
    handed_s.put(times)


def _pictures(clip: Path, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    with av.open(str(clip)) as container:
        return [frame.reformat(*size, "yuv420p").to_ndarray() for frame in container.decode(video=0)]


def _numbered(pictures: list[NDArray[np.uint8]]) -> Iterator[av.VideoFrame]:
    for number in count():
        planes = pictures[number % len(pictures)].copy()
        write_number(planes[: len(planes) * 2 // 3], number)  # luma; both planes of chroma lie below
        picture = av.VideoFrame.from_ndarray(planes, "yuv420p")
        picture.pts = number
        yield picture
