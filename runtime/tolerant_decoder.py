"""Decoding that survives damage: errors are counted, and no last frames get lost."""

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from cvqe.errors import InputError
from runtime.frame_qp import EXPORT_QP
from runtime.leading_pictures import LeadingPictures
from runtime.packet_notes import PacketNote, PacketNotes
from runtime.picture_coding import Coding, coding_reader

log = logging.getLogger(__name__)
# else FFmpeg crops less from the left than a stream asks for, so that rows of samples begin where its memory is aligned
CROPPED_EXACTLY = Flags.unaligned
# the others of FFmpeg's decoders take "low delay" for a promise that no picture is reordered
KEEPS_ORDER_AT_LOW_DELAY = {"h264", "hevc", "vp8", "vp9", "av1"}


class Decoded(NamedTuple):
    """A picture, how it was coded, what was known when its packet was read, and whether pictures are missing before."""

    picture: av.VideoFrame
    coding: Coding
    note: PacketNote
    follows_gap: bool = False


@dataclass(frozen=True)
class DecoderOptions:
    """How to decode.

    Attributes:
        threads: 0 means as many as there are cores.
        with_partitions: read how HEVC's coder divided each picture.
        shares_pictures: threads work on one picture together, if it has slices, none on one of its own: a packet's
            picture or error comes with the packet.
        is_low_delay: give each picture as soon as the stream allows.
        may_begin_anywhere: what fails before the first picture is no damage: nobody sent it from its beginning.
    """

    threads: int = 0
    with_partitions: bool = False
    shares_pictures: bool = False
    is_low_delay: bool = False
    may_begin_anywhere: bool = False


@dataclass
class Tally:
    """What went wrong, over all connections of a source.

    n_damaged: packets that failed to decode, and pictures that the decoder marks as concealed.
    n_leading_lost: packets due before the first picture that gave none (leading_pictures.py).
    """

    n_damaged: int = 0
    n_leading_lost: int = 0


class TolerantDecoder:
    """Turn the packets of one video stream into pictures, in the order they are shown; counts into a tally.

    `reopen` opens the same file again, to decode its end once more; None where there is nothing to open twice.
    """

    def __init__(
        self,
        name: str,
        stream: VideoStream,
        options: DecoderOptions,
        tally: Tally,
        reopen: Callable[[], InputContainer] | None = None,
    ) -> None:
        _configure(stream, options)
        self._codings = coding_reader(stream, options.with_partitions)
        self._notes = PacketNotes()
        self._leading = LeadingPictures(stream.codec_context.codec.canonical_name == "hevc")
        self._name, self._stream, self._options = name, stream, options
        self._tally, self._n_leading_before = tally, tally.n_leading_lost
        self._reopen = reopen
        self._n_packets = 0  # packets that should have given a picture and haven't yet
        self._last_pts: int | None = None

    @property
    def partition_obstacle(self) -> str | None:
        """Why no picture has a partition, a few words; None where they are read."""
        return self._codings.obstacle

    def decode(self, packet: "Packet[Stream]") -> Iterator[Decoded]:
        """Yield the pictures that this packet completes; often none, or those of earlier packets.

        Raises:
            InputError: the packet is encrypted. Decoders make pictures of such noise now and then.
        """
        if packet.has_sidedata("encryption_info"):
            raise InputError(
                f"{self._name} is encrypted; a video that plays without a key was expected. Decrypt it first"
            )
        self._n_packets += not packet.is_discard
        self._leading.see(packet)
        self._codings.see(packet)
        self._notes.see(packet.pts, self._tally.n_damaged)
        yield from self._received(packet)

    def flush(self) -> Iterator[Decoded]:
        """Yield the pictures still inside the decoder, once, after the last packet."""
        n_damaged, shown = self._tally.n_damaged, self._last_pts
        yield from self._received(None)
        is_short = self._tally.n_damaged > n_damaged or self._n_packets > self._leading.n_lost
        if is_short and self._reopen is not None:
            try:
                n_hidden = yield from self._rescued(self._reopen, shown)
            except (av.FFmpegError, InputError):  # a file that can't be opened or searched twice
                return
            self._tally.n_damaged = max(self._tally.n_damaged, n_damaged + n_hidden)

    def _received(self, packet: "Packet[Stream] | None") -> Iterator[Decoded]:
        try:
            pictures = self._stream.codec_context.decode(packet)
        except av.FFmpegError as error:
            log.debug("%s: packet %s: %s", self._name, packet, error)
            self._fail()
            return
        for picture in pictures:
            self._tally.n_damaged += picture.is_corrupt
            self._n_packets -= 1
            yield self._noted(self._decoded(picture))

    def _fail(self) -> None:
        self._n_packets -= 1
        if self._options.may_begin_anywhere and not self._leading.is_begun:
            return
        self._leading.fail()
        self._tally.n_damaged += 1

    def _decoded(self, picture: av.VideoFrame) -> Decoded:
        note = self._notes.take(picture.pts, self._tally.n_damaged)
        decoded = Decoded(picture, self._codings.take(picture), note)
        self._leading.take(picture)
        self._tally.n_leading_lost = self._n_leading_before + self._leading.n_lost
        return decoded

    def _noted(self, decoded: Decoded) -> Decoded:
        picture = decoded.picture
        if picture.pts is not None and _is_later(picture.pts, self._last_pts):
            self._last_pts = picture.pts
        return decoded

    def _rescued(self, reopen: Callable[[], InputContainer], shown: int | None) -> Generator[Decoded, None, int]:
        """Decode the end again without frame threads; return how many packets failed that are later than `shown`.

        An error among the last packets hides the pictures after it: PyAV can't ask a decoder twice for what is left.
        """
        n_failed = 0
        with reopen() as container:
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
            decoded = self._decoded(picture)
            if picture.pts is not None and _is_later(picture.pts, self._last_pts):
                yield self._noted(decoded)


def _configure(stream: VideoStream, options: DecoderOptions) -> None:
    context = stream.codec_context
    stream.thread_type = "SLICE" if options.shares_pictures else "AUTO"
    context.thread_count = options.threads
    context.options = dict(EXPORT_QP)
    context.flags |= CROPPED_EXACTLY
    if options.is_low_delay and context.codec.canonical_name in KEEPS_ORDER_AT_LOW_DELAY:
        context.flags |= Flags.low_delay


def _is_later(pts: int, other: int | None) -> bool:
    return other is None or pts > other
