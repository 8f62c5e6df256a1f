"""A player that waits for nothing: shows each frame as soon as it is there, and notes when that was."""

import time
from collections.abc import Iterator
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event

import av
import numpy as np
from av.codec.context import Flags
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from benchmarks.numbered_pictures import read_number

OPEN_S, SILENCE_S = 60.0, 5.0
# nothing is held back for reordering, and no parser waits for the next picture to know where this one ends
AT_ONCE = {"fflags": "nobuffer+noparse+nofillin", "probesize": "100000", "analyzeduration": "0"}
ROOM = "?fifo_size=50000&overrun_nonfatal=1"  # for what comes while the streams are looked at

Seen = tuple[int | None, float]  # the number in the picture, where it can be told; when, by time.monotonic()


def receive(url: str, has_begun: Event, seen: "Queue[list[Seen]]") -> None:
    """Receive MPEG-TS until nothing comes any more; runs in a process of its own.

    Args:
        url: where to listen.
        has_begun: set with the first frame.
        seen: is given all frames at the end.
    """
    frames: list[Seen] = []
    for frame in _frames(url):
        now_s = time.monotonic()
        frames.append((read_number(_luma(frame)), now_s))
        has_begun.set()
    seen.put(frames)


def _frames(url: str) -> Iterator[av.VideoFrame]:
    try:
        with av.open(url + ROOM, format="mpegts", options=AT_ONCE, timeout=(OPEN_S, SILENCE_S)) as container:
            video = container.streams.video[0]
            video.thread_type = "SLICE"
            video.codec_context.flags |= Flags.low_delay
            for packet in container.demux(video):
                yield from _decoded(packet)
    except av.ExitError:  # the sender is silent: that is the end
        return


def _decoded(packet: "Packet[VideoStream]") -> list[av.VideoFrame]:
    try:
        return packet.decode()
    except av.error.InvalidDataError:  # joined between two key frames, or datagrams were lost: its frame isn't seen
        return []


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
