"""Decoding that survives damage: errors are counted, and no last frames get lost."""

import logging
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple

import av
from av.codec.context import Flags
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from cvqe.errors import InputError
from runtime.frame_qp import EXPORT_QP
from runtime.input_file import open_container
from runtime.picture_coding import Coding, coding_reader

log = logging.getLogger(__name__)
# else FFmpeg crops less from the left than a stream asks for, so that rows of samples begin where its memory is aligned
CROPPED_EXACTLY = Flags.unaligned


class Decoded(NamedTuple):
    """A picture, and how it was coded."""

    picture: av.VideoFrame
    coding: Coding


class TolerantDecoder:
    """Turn the packets of one video stream into pictures, in the order they are shown.

    Attributes:
        n_damaged: packets that failed to decode, and pictures that the decoder marks as concealed.
    """

    def __init__(self, path: Path, stream: VideoStream, threads: int, with_partitions: bool = False) -> None:
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        stream.codec_context.options = dict(EXPORT_QP)
        stream.codec_context.flags |= CROPPED_EXACTLY
        self.n_damaged = 0
        self._codings = coding_reader(stream, with_partitions)
        self._path = path
        self._stream = stream
        self._n_packets = 0  # packets that should have given a picture and haven't yet
        self._last_pts: int | None = None

    @property
    def partition_obstacle(self) -> str | None:
        """Why no picture has a partition, a few words; None where they are read."""
        return self._codings.obstacle

    def decode(self, packet: "Packet[Stream]") -> Iterator[Decoded]:
        """Yield the pictures that this packet completes; often none, or those of earlier packets."""
        self._n_packets += not packet.is_discard
        self._codings.see(packet)
        yield from self._received(packet)

    def flush(self) -> Iterator[Decoded]:
        """Yield the pictures still inside the decoder, once, after the last packet."""
        n_damaged, shown = self.n_damaged, self._last_pts
        yield from self._received(None)
        if self.n_damaged > n_damaged or self._n_packets > 0:
            try:
                n_hidden = yield from self._rescued(shown)
            except (av.FFmpegError, InputError):  # a file that can't be opened or searched twice
                return
            self.n_damaged = max(self.n_damaged, n_damaged + n_hidden)

    def _received(self, packet: "Packet[Stream] | None") -> Iterator[Decoded]:
        try:
            pictures = self._stream.codec_context.decode(packet)
        except av.FFmpegError as error:
            log.debug("%s: packet %s: %s", self._path.name, packet, error)
            self.n_damaged += 1
            self._n_packets -= 1
            return
        for picture in pictures:
            self.n_damaged += picture.is_corrupt
            self._n_packets -= 1
            yield self._noted(Decoded(picture, self._codings.take(picture)))

    def _noted(self, decoded: Decoded) -> Decoded:
        picture = decoded.picture
        if picture.pts is not None and _is_later(picture.pts, self._last_pts):
            self._last_pts = picture.pts
        return decoded

    def _rescued(self, shown: int | None) -> Generator[Decoded, None, int]:
        """Decode the end again without frame threads; return how many packets failed that are later than `shown`.

        An error among the last packets hides the pictures after it: PyAV can't ask a decoder twice for what is left.
        """
        n_failed = 0
        with open_container(self._path) as container:
            stream = container.streams[self._stream.index]
            assert isinstance(stream, VideoStream)
            stream.thread_type = "SLICE"
            stream.codec_context.flags |= CROPPED_EXACTLY
            if self._last_pts is not None:
                container.seek(self._last_pts, stream=stream)
            for packet in container.demux(stream):
                is_hidden = packet.pts is not None and _is_later(packet.pts, shown)
                try:
                    self._codings.see(packet)
                    yield from self._missing(packet.decode())
                except av.FFmpegError:
                    n_failed += is_hidden
        return n_failed

    def _missing(self, pictures: list[av.VideoFrame]) -> Iterator[Decoded]:
        for picture in pictures:
            decoded = Decoded(picture, self._codings.take(picture))
            if picture.pts is not None and _is_later(picture.pts, self._last_pts):
                yield self._noted(decoded)


def _is_later(pts: int, other: int | None) -> bool:
    return other is None or pts > other
