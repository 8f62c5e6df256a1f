"""The way in: a file's default video as frames, and the packets of all other streams, in the file's order.

in.mp4 --> demux --+--> packets of the video --> decode --> planar --> pts repaired --> Frame
                   +--> packets of audio, subtitles, ... -----------------------------> CopiedPacket
"""

import logging
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from cvqe.errors import CvqeError, InputError
from cvqe.frame import Frame
from runtime.chapters import chapters_until
from runtime.clock_restart import ContinuousClock
from runtime.copied_packet import CopiedPacket
from runtime.frame_limit import first_frames
from runtime.input_file import is_cover, open_container, video_stream
from runtime.picture_coding import Coding
from runtime.planar_picture import planar_picture
from runtime.pts_repair import PtsRepair
from runtime.tolerant_decoder import Decoded, TolerantDecoder
from runtime.truncation import Coverage
from runtime.video_info import VideoInfo, video_info

if TYPE_CHECKING:  # only PyAV's stubs know the name
    from av.container.core import Chapter

log = logging.getLogger(__name__)

Item = Frame | CopiedPacket
N_LOOKED_AT = 5  # frames decoded at once, to know the video before any is enhanced


def open_source(
    path: Path, threads: int = 0, limit: int | None = None, with_partitions: bool = False, is_strict: bool = False
) -> "Source":
    """Open a video for reading and decode its first frames.

    Args:
        path: of a file FFmpeg can read.
        threads: for decoding; 0 means as many as there are cores.
        limit: stop after so many frames; other streams end with the last of them.
        with_partitions: read how HEVC's coder divided each picture, into Frame.partition, while others are decoded.
        is_strict: items() ends with an error at the first damage, and where the file ends early.

    Raises:
        InputError: the file can't be read as a video, or not one of its frames decodes.
    """
    container = open_container(path)
    try:
        source = Source(path, container, threads, limit, with_partitions, is_strict)
    except BaseException:
        container.close()
        raise
    for note in source.notes:
        log.info("%s: %s", path.name, note)
    return source


class Source:
    """One open video, a context manager; used by one thread at a time.

    Attributes:
        info: what is known before any frame is enhanced.
        covers: attached pictures (cover art) by stream index, as encoded image files.
        n_frames: frames yielded so far.
        truncated_note: after the end, a sentence when the file stops well before its container says; else None.
    """

    def __init__(
        self,
        path: Path,
        container: InputContainer,
        threads: int,
        limit: int | None,
        with_partitions: bool,
        is_strict: bool,
    ) -> None:
        self.path = path
        self.container = container
        self.stream = video_stream(container, path)
        self.n_frames = 0
        self.truncated_note: str | None = None
        self._limit, self._is_strict = limit, is_strict
        self._read_error: str | None = None
        self._decoded_format = ""
        self._decoder = TolerantDecoder(path, self.stream, threads, with_partitions)
        self._clock = ContinuousClock()
        self._repair = PtsRepair.for_stream(self.stream)
        decoded = self._decoded()
        head = list(_up_to_frame(decoded, N_LOOKED_AT))
        frames = [item for item in head if isinstance(item, Frame)]
        if not frames:
            raise InputError(self._why_no_frame())
        self.info: VideoInfo = video_info(container, self.stream, frames, self._decoded_format)
        self.covers = _covers(head)
        self._items: Iterator[Item] | None = chain(head, decoded)
        self._coverage = Coverage(container, self.info)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def qp(self) -> float | None:
        """Quantiser of the first frames where the bitstream tells it, else None; as info.qp."""
        return self.info.qp

    @property
    def partition_obstacle(self) -> str | None:
        """Why no frame has a partition, a few words ("h264 tells no transform units"); None where they are read."""
        return self._decoder.partition_obstacle

    @property
    def n_damaged(self) -> int:
        """Packets that failed to decode so far, and pictures that the decoder marks as concealed."""
        return self._decoder.n_damaged

    @property
    def n_repaired(self) -> int:
        """Frames so far whose pts was missing, or not later than the one before."""
        return self._repair.n_repaired

    @property
    def notes(self) -> list[str]:
        """What the user should know about the file so far, a sentence each."""
        notes = []
        if self.info.decoded_format != self.info.pixel_format:
            notes.append(
                f"{self.info.decoded_format} frames are converted to {self.info.pixel_format} to reach their luma"
            )
        if self._clock.n_restarts:
            notes.append(f"time stamps start over ({self._clock.n_restarts} x); they are made to go on instead")
        return notes

    def chapters(self) -> "list[Chapter]":
        """Give the file's chapters, up to where a limit on the frames is expected to fall."""
        end_s = None if self._limit is None else self._limit / float(self.info.average_rate)
        return chapters_until(self.container.chapters(), end_s)

    def close(self) -> None:
        """Close the file; what was yielded stays valid."""
        self.container.close()

    def items(self) -> Iterator[Item]:
        """Yield frames, and other streams' packets, in the order of the file; to be called once.

        Raises:
            CvqeError: the size or pixel format changes on the way.
            InputError: strict, and something is damaged or missing.
        """
        assert self._items is not None, "items() was called before"
        items, self._items = self._items, None
        for item in items if self._limit is None else first_frames(items, self._limit):
            self._refuse_damage(self.n_damaged, "is damaged")
            if isinstance(item, Frame):
                self._check_unchanged(item)
                self.n_frames += 1
            self._coverage.see(item)
            yield item
        if self._limit is None or self.n_frames < self._limit:
            self.truncated_note = self._read_error or self._note_on_length()
        self._refuse_damage(self.n_damaged, "is damaged")
        self._refuse_damage(bool(self.truncated_note), f"is not whole: {self.truncated_note}")

    def _note_on_length(self) -> str | None:
        """Compare with the container's promise, which means nothing for a clock that starts over."""
        return None if self._clock.n_restarts else self._coverage.note(self.n_frames)

    def _why_no_frame(self) -> str:
        codec = self.stream.codec_context.codec.canonical_name
        return (
            f"{self.path}: not one frame of its {codec} video could be decoded ({self.n_damaged} damaged packets); "
            f"it is encrypted or broken: try another copy"
        )

    def _decoded(self) -> Iterator[Item]:
        number = 0
        for item in self._demuxed():
            if isinstance(item, CopiedPacket):
                yield item
                continue
            yield self._frame(number, *item)
            number += 1

    def _demuxed(self) -> Iterator[Decoded | CopiedPacket]:
        for packet in self._packets():
            if packet.stream.index == self.stream.index:
                yield from self._decoder.decode(packet)
            else:
                yield CopiedPacket(packet.stream.index, packet)
        yield from self._decoder.flush()

    def _packets(self) -> "Iterator[Packet[Stream]]":
        try:
            for packet in self.container.demux():
                if packet.size:
                    self._clock.adjust(packet)
                    yield packet
        except av.FFmpegError as error:
            self._read_error = f"reading stopped before the end of the file ({error.strerror})"

    def _frame(self, number: int, decoded: av.VideoFrame, coding: Coding) -> Frame:
        if number == 0:
            self._decoded_format = decoded.format.name
        picture = planar_picture(decoded)
        self._repair.stamp(picture)
        return Frame(number, picture, coding.qp, coding.partition, coding.partition_obstacle)

    def _refuse_damage(self, is_there: int, what: str) -> None:
        if is_there and self._is_strict:
            raise InputError(
                f"{self.path.name} {what} (seen at frame {self.n_frames}); a whole file was asked for. "
                "To enhance what there is, leave out --strict"
            )

    def _check_unchanged(self, frame: Frame) -> None:
        picture = frame.picture
        before = f"{self.info.width}x{self.info.height} {self.info.pixel_format}"
        now = f"{picture.width}x{picture.height} {picture.format.name}"
        if now != before:
            raise CvqeError(
                f"{self.path.name} changes from {before} to {now} at frame {frame.number}; one size and pixel format "
                f"was expected. Split the file there, or enhance what comes before:  --frames {frame.number}"
            )


def _up_to_frame(items: Iterator[Item], last: int) -> Iterator[Item]:
    """Yield items up to the given frame, counted from 1."""
    for item in items:
        yield item
        if isinstance(item, Frame) and item.number + 1 == last:
            return


def _covers(head: list[Item]) -> dict[int, bytes]:
    """Collect attached pictures, which FFmpeg hands out before anything else."""
    packets = (item for item in head if isinstance(item, CopiedPacket))
    return {item.stream_index: bytes(item.packet) for item in packets if is_cover(item.packet.stream)}
