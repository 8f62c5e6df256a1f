"""The way in: a source's default video as frames, and the packets of all other streams, in the order they come.

reception --+--> pictures of the video --> planar --> pts repaired --> as the first one --> Frame
            +--> packets of audio, subtitles, ... ----------------------------------------> CopiedPacket
"""

import logging
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from av.container import InputContainer
from av.video.stream import VideoStream

from cvqe.errors import CvqeError, InputError
from cvqe.frame import Frame
from runtime.chapters import chapters_until
from runtime.connection import Connector, StreamCheck
from runtime.copied_packet import CopiedPacket
from runtime.first_format import FirstFormat
from runtime.frame_limit import first_frames
from runtime.input_file import is_cover
from runtime.live_input import ORDINARY, LiveInput
from runtime.planar_picture import planar_picture
from runtime.pts_repair import PtsRepair
from runtime.reception import Reception
from runtime.source_address import SourceAddress, source_address
from runtime.source_notes import crop_note, format_note, leading_note, reconnects_note, restarts_note
from runtime.tolerant_decoder import Decoded, DecoderOptions, Tally
from runtime.truncation import Coverage
from runtime.video_info import VideoInfo, video_info

if TYPE_CHECKING:  # only PyAV's stubs know the name
    from av.container.core import Chapter

log = logging.getLogger(__name__)

Item = Frame | CopiedPacket
N_LOOKED_AT = 5  # frames decoded at once, to know the video before any is enhanced


def open_source(
    given: Path | str,
    threads: int = 0,
    limit: int | None = None,
    with_partitions: bool = False,
    is_strict: bool = False,
    live: LiveInput | None = None,
    check: StreamCheck | None = None,
) -> "Source":
    """Open a video for reading and decode its first frames.

    Args:
        given: path of a file FFmpeg can read; as text also `-` for standard input, or an address like rtsp://camera.
        threads: for decoding; 0 means as many as there are cores.
        limit: stop after so many frames; other streams end with the last of them.
        with_partitions: read how HEVC's coder divided each picture, into Frame.partition, while others are decoded.
        is_strict: end with an error at the first damage among the frames asked for, where the size or pixel format
            changes, and where the file ends early.
        live: how to read what isn't a file.
        check: looks at the stream before anything is decoded, and raises what speaks against it.

    Raises:
        InputError: the source can't be read as a video, or not one of its frames decodes.
    """
    live = live or ORDINARY
    address = source_address(given, live.format)
    options = DecoderOptions(
        threads,
        with_partitions,
        # so that damage is known by the frame it is in, not by those that threads have begun meanwhile
        shares_pictures=live.is_realtime or (is_strict and limit is not None),
        is_low_delay=live.is_realtime,
        may_begin_anywhere=address.is_live,
    )
    tally = Tally()
    reception = Reception(Connector(address, live, options, tally, check))
    try:
        source = Source(address, reception, tally, limit, is_strict)
    except BaseException:
        reception.close()
        raise
    for note in source.notes:
        log.info("%s: %s", address.name, note)
    return source


class Source:
    """One open video, a context manager; used by one thread at a time, but for stop().

    Attributes:
        address: where it comes from.
        info: what is known before any frame is enhanced.
        covers: attached pictures (cover art) by stream index, as encoded image files.
        n_frames: frames yielded so far.
        truncated_note: after the end, a sentence when the source stops before it is whole: well before its container
            says, or because its sender did; else None.
    """

    def __init__(
        self, address: SourceAddress, reception: Reception, tally: Tally, limit: int | None, is_strict: bool
    ) -> None:
        self.address = address
        self.n_frames = 0
        self.truncated_note: str | None = None
        self._reception, self._tally = reception, tally
        self._limit, self._is_strict = limit, is_strict
        self._decoded_format = ""
        self._repair = PtsRepair.for_stream(self.stream)
        decoded = self._decoded()
        head = list(_up_to_frame(decoded, N_LOOKED_AT))
        frames = [item for item in head if isinstance(item, Frame)]
        if not frames:
            raise InputError(self._why_no_frame())
        self.info: VideoInfo = video_info(self.container, self.stream, frames, self._decoded_format)
        self.covers = _covers(head)
        self._items: Iterator[Item] | None = chain(head, decoded)
        self._coverage = Coverage(self.container, self.info)
        self._first_format = FirstFormat(self.info)
        reception.reconnect_from_now_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """Where the file lies; only of a source that is one."""
        assert self.address.path is not None
        return self.address.path

    @property
    def name(self) -> str:
        """What messages call the source: a file without its folder, an address without its password."""
        return self.address.name

    @property
    def is_live(self) -> bool:
        """Whether it is no file, so that nothing of it can be read again."""
        return self.address.is_live

    @property
    def container(self) -> InputContainer:
        """The open container; of a live source, that of its last connection."""
        return self._reception.connection.container

    @property
    def stream(self) -> VideoStream:
        """The stream to enhance, inside the container."""
        return self._reception.connection.stream

    @property
    def qp(self) -> float | None:
        """Quantiser of the first frames where the bitstream tells it, else None; as info.qp."""
        return self.info.qp

    @property
    def partition_obstacle(self) -> str | None:
        """Why no frame has a partition, a few words ("h264 tells no transform units"); None where they are read."""
        return self._reception.connection.decoder.partition_obstacle

    @property
    def n_damaged(self) -> int:
        """Packets that failed to decode so far, and pictures that the decoder marks as concealed."""
        return self._tally.n_damaged

    @property
    def n_leading_lost(self) -> int:
        """Packets due before the first frame that no decoder can show: what they refer to was not sent."""
        return self._tally.n_leading_lost

    @property
    def n_converted(self) -> int:
        """Frames so far that had another size or pixel format than the first, and were converted to it."""
        return self._first_format.n_changed

    @property
    def n_reconnects(self) -> int:
        """How often a sender stopped and was reached again."""
        return self._reception.n_reconnects

    @property
    def n_repaired(self) -> int:
        """Frames so far whose pts was missing, or not later than the one before."""
        return self._repair.n_repaired

    @property
    def notes(self) -> list[str]:
        """What the user should know about the source so far, a sentence each."""
        found = (
            format_note(self.info),
            crop_note(self.info),
            leading_note(self.n_leading_lost, self.is_live),
            self._first_format.note,
            restarts_note(self._reception.clock.n_restarts),
            reconnects_note(self.n_reconnects),
        )
        return [note for note in found if note]

    def stop(self) -> None:
        """Make items() end after the read that is under way, without waiting for a sender; from any thread."""
        self._reception.stop()

    def chapters(self) -> "list[Chapter]":
        """Give the file's chapters, up to where a limit on the frames is expected to fall."""
        end_s = None if self._limit is None else self._limit / float(self.info.average_rate)
        return chapters_until(self.container.chapters(), end_s)

    def close(self) -> None:
        """Close the source; what was yielded stays valid."""
        self._reception.close()

    def items(self) -> Iterator[Item]:
        """Yield frames, and other streams' packets, in the order they came; to be called once.

        A frame of another size or pixel format than the first is converted to that, and follows a gap.

        Raises:
            CvqeError: a sender came back with other streams; strict, and the size or pixel format changes on the way.
            InputError: strict, and something is damaged or missing.
        """
        assert self._items is not None, "items() was called before"
        items, self._items = self._items, None
        if self._limit is not None:
            items = first_frames(items, self._limit, self.info.n_other_streams > 0)
        for item in items:
            yield self._counted(item)
        if self._is_to_the_end and not self._reception.is_stopped:
            self.truncated_note = self._reception.end_note or self._note_on_length()
            self._refuse_damage(self.n_damaged, self.n_frames, "is damaged")
            self._refuse_damage(bool(self.truncated_note), self.n_frames, f"is not whole: {self.truncated_note}")

    @property
    def _is_to_the_end(self) -> bool:
        return self._limit is None or self.n_frames < self._limit

    def _counted(self, item: Item) -> Item:
        if isinstance(item, Frame):
            self._check_unchanged(item)
            item = self._first_format.fit(item)
            self.n_frames += 1
        self._coverage.see(item)
        return item

    def _note_on_length(self) -> str | None:
        """Compare with the container's promise, which means nothing for a clock that starts over."""
        return None if self._reception.clock.n_restarts else self._coverage.note(self.n_frames)

    def _why_no_frame(self) -> str:
        codec = self.stream.codec_context.codec.canonical_name
        text = f"{self.address.text}: not one frame of its {codec} video could be decoded"
        if self.is_live:
            return f"{text}; {self._reception.end_note or 'it ended before a whole picture'}. Check what is sent"
        return f"{text} ({self.n_damaged} damaged packets); it is encrypted or broken: try another copy"

    def _decoded(self) -> Iterator[Item]:
        number = 0
        for item in self._reception.items():
            if isinstance(item, CopiedPacket):
                yield item
                continue
            if self._limit is None or number < self._limit:
                self._refuse_damage(item.note.n_damaged + item.picture.is_corrupt, number, "is damaged")
            yield self._frame(number, item)
            number += 1

    def _frame(self, number: int, decoded: Decoded) -> Frame:
        if number == 0:
            self._decoded_format = decoded.picture.format.name
        picture = planar_picture(decoded.picture)
        self._repair.stamp(picture)
        return Frame(
            number, picture, *decoded.coding, follows_gap=decoded.follows_gap, arrived_s=decoded.note.arrived_s
        )

    def _refuse_damage(self, is_there: int, number: int, what: str) -> None:
        if is_there and self._is_strict:
            raise InputError(
                f"{self.name} {what} (seen at frame {number}); a whole file was asked for. "
                "To enhance what there is, leave out --strict"
            )

    def _check_unchanged(self, frame: Frame) -> None:
        change = self._first_format.change(frame)
        if change is not None and self._is_strict:
            before, now = change
            raise CvqeError(
                f"{self.name} changes from {before} to {now} at frame {frame.number}; one size and pixel format was "
                f"expected. Enhance what comes before:  --frames {frame.number}  or leave out --strict to have the "
                f"rest converted to {before}"
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
