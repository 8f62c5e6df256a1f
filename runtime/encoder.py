"""The way out: enhanced frames encoded and muxed with the source's other streams; the final name is for finished files.

frames --> encode --+
copied packets -----+--> mux --> out.partial.mp4 --> (all there) --> out.mp4
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from cvqe.errors import CvqeError
from runtime.copied_packet import CopiedPacket
from runtime.decoder import Source
from runtime.destination import Destination, FileDestination
from runtime.dts_repair import DtsRepair
from runtime.encoder_choice import ChosenEncoder, choose_encoder
from runtime.encoder_settings import EncoderOptions, configure
from runtime.metadata import container_metadata, stream_metadata
from runtime.muxer import Muxer
from runtime.output_clock import OutputClock
from runtime.planar_picture import same_samples
from runtime.resume_record import ResumeRecord
from runtime.segmented_encoder import SegmentedEncoder
from runtime.stream_copy import StreamCopy
from runtime.video_info import VideoInfo
from runtime.write_errors import writing
from runtime.written_check import Written

_QUICKTIME_FAMILY = {"mp4", "mov"}
_APPLE_HEVC_TAG = "hvc1"  # mp4's other tag for HEVC, hev1, doesn't play in QuickTime


def open_sink(to: Destination | Path, source: Source, options: EncoderOptions | None = None) -> "Sink":
    """Open the encoder, and write the header of an output.

    Args:
        to: where it goes; a path is a file that nothing is kept of if the run ends early.
        source: gives size, format, clock and colours of the frames, and the streams to be copied.
        options: what the user asks of the encoder.

    Raises:
        UsageError: options that exclude each other, or that the encoder doesn't have; what an earlier run has left
            is of another one.
        CvqeError: no encoder takes these frames, the file can't be written, or another run is writing it.
    """
    options = options or EncoderOptions()
    destination = FileDestination(to) if isinstance(to, Path) else to
    chosen = choose_encoder(source.info, options, destination.container)
    record = destination.begin({"encoder": chosen.name, "quality": chosen.options, "pixels": chosen.pixel_format})
    try:
        sink = Sink(destination, source, chosen, options.threads, record)
    except BaseException:
        destination.remove()
        raise
    try:
        sink.write_header()
    except BaseException:
        sink.discard()
        raise
    return sink


class Sink:
    """One output being written, a context manager; used by one thread at a time.

    Leaving the context before close() or finish_partial() discards what was written, except for whole segments that
    the destination keeps.

    Attributes:
        encoder: FFmpeg's name of the encoder in use.
        n_found: frames that an earlier run has encoded already: skip_frame() takes them.
        n_frames: frames written so far.
    """

    def __init__(
        self,
        destination: Destination,
        source: Source,
        chosen: ChosenEncoder,
        threads: int,
        record: ResumeRecord | None = None,
    ) -> None:
        self.encoder = chosen.name
        self.n_found = record.n_found if record else 0
        self.n_found_fallen_back = record.n_fallen_back if record else 0
        self._chosen, self._threads = chosen, threads
        self._info = source.info
        self._destination = destination
        self._is_open = True
        self._muxer = Muxer(_opened(destination, source), destination.name)
        self._copy = StreamCopy(source, self._muxer, destination)
        self._video = _add_streams(self._muxer.container, source, chosen, threads, self._copy)
        self._written = Written(self._video.index)
        self._clock = OutputClock(destination.format)
        self._stamps = DtsRepair(may_repeat=False)  # an encoder of B-frames begins before the last segment's end
        self._encoder = SegmentedEncoder(self._opened_encoder, record)
        self._notes = [*_notes(chosen, source.info, destination.container), *_words_lost(source, destination.container)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    @property
    def n_frames(self) -> int:
        """Frames written so far."""
        return self._encoder.n_frames

    @property
    def notes(self) -> list[str]:
        """What the user should know: an encoder replaced, streams left out, tags that can't be kept."""
        notes = self._notes + self._copy.notes
        if self._copy.n_repaired:
            notes.append(f"{self._copy.n_repaired} time stamps of copied packets were missing or went back: mended")
        if self._clock.n_moved:
            notes.append(f"{self._clock.n_moved} frames stood closer together than the container can tell: moved apart")
        if self._muxer.n_refused:
            notes.append(f"{self._muxer.n_refused} damaged packets of copied streams couldn't be written: left out")
        return notes

    @property
    def streams_left_out(self) -> list[int]:
        """Indices of the source's streams that the container can't hold."""
        return self._copy.left_out

    @property
    def kept(self) -> str | None:
        """After an end that was not the end: what remains, and how to go on from there."""
        return self._destination.kept

    def write_header(self) -> None:
        """Open the file."""
        self._muxer.write_header()

    def write_frame(self, picture: av.VideoFrame, is_fallen_back: bool = False) -> None:
        """Encode the next frame, of the source's size and pixel format, with a pts later than the last one's.

        Raises:
            CvqeError: the disk is full, or the encoder failed.
        """
        assert (picture.width, picture.height) == (self._info.width, self._info.height)  # PyAV would scale in silence
        self._see(picture)
        picture.pict_type = 0  # else the encoder would repeat the source's choice of I, P and B
        if picture.format.name != self._chosen.pixel_format:
            picture = same_samples(picture, self._chosen.pixel_format)
        self._mux(self._encoder.encode(picture, is_fallen_back))

    def skip_frame(self, picture: av.VideoFrame) -> None:
        """Take the next frame, one of the first n_found, as an earlier run has encoded it; only its time is looked at.

        Raises:
            CvqeError: the disk is full, or the record went away.
        """
        self._see(picture)
        self._mux(self._encoder.skip())

    def copy_packet(self, packet: CopiedPacket) -> None:
        """Mux a packet of another stream as it is; one of a stream that was left out is ignored.

        Raises:
            CvqeError: the disk is full, or the container refuses the packet.
        """
        self._copy.copy(packet)

    def close(self) -> str:
        """Write what is still inside the encoder and give the file its final name, replacing what has it.

        Raises:
            CvqeError: the disk is full, or the file doesn't read back as it was written.
        """
        self._finish()
        self._written.n_packets, self._written.n_refused = self._muxer.n_packets, self._muxer.n_refused
        return self._destination.finish(self._written)

    def finish_partial(self) -> str | None:
        """End early: leave a playable file under the partial name, or nothing if no new frame was written."""
        if self.n_frames <= self.n_found:  # the record holds them, and maybe more
            self.discard()
            return None
        self._finish()
        return self._destination.keep_part()

    def discard(self) -> None:
        """Remove what was written, unless it was closed or finished."""
        if self._is_open:
            self._is_open = False
            self._muxer.discard()
            self._destination.remove()

    def abandon(self) -> str | None:
        """Remove the file while it is still open, for a process that ends now; returns what is kept nevertheless."""
        if self._is_open:
            self._destination.remove()
        return self.kept

    def _finish(self) -> None:
        try:
            self._mux(self._encoder.flush())
            self._muxer.close()
        except BaseException:
            self.discard()
            raise
        self._is_open = False

    def _see(self, picture: av.VideoFrame) -> None:
        self._clock.stamp(picture)
        assert picture.pts is not None and picture.time_base is not None
        self._written.see_frame(picture.pts * picture.time_base)

    def _mux(self, packets: "Iterator[Packet[Stream]]") -> None:
        try:
            for packet in packets:
                self._stamps.mend(packet)
                packet.stream = self._video
                self._muxer.mux(packet)
        except av.FFmpegError as error:
            raise CvqeError(
                f"{self.encoder} failed at frame {self.n_frames} ({error.strerror}); try another:  --encoder ffv1"
            ) from error

    def _opened_encoder(self) -> VideoCodecContext:
        """Open an encoder like the one whose parameters the header tells."""
        context = av.CodecContext.create(self._chosen.name, "w")
        assert isinstance(context, VideoCodecContext)
        configure(context, self._info, self._chosen.pixel_format, self._chosen.options, self._threads)
        context.flags |= self._video.codec_context.flags & Flags.global_header
        context.open()
        if context.extradata != self._video.codec_context.extradata:
            raise CvqeError(
                f"{self.encoder} describes its stream in another way each time, so segments of it don't fit together; "
                f"write it in one piece:  --segment 0"
            )
        return context


def _opened(destination: Destination, source: Source) -> OutputContainer:
    options = {**_muxer_options(destination.format, source), **destination.options}
    with writing(destination.name):
        container = av.open(destination.url, "w", format=destination.format, container_options=options)
    container.metadata.update(container_metadata(source.container))
    container.set_chapters(source.chapters())
    return container


def _muxer_options(form: str, source: Source) -> dict[str, str]:
    """Make muxers keep the source's clock, and Apple's own tags where there are any."""
    if form == "mpegts":
        return {"mpegts_copyts": "1", "max_delay": "700000"}
    if form not in _QUICKTIME_FAMILY:
        return {}
    options = {"movie_timescale": "90000"}  # else edit lists, where sound begins, are rounded to milliseconds
    if source.info.first_pts < 0:  # what lies before zero would not be shown
        options["avoid_negative_ts"] = "make_non_negative"
    if source.info.time_base.numerator == 1:
        options["video_track_timescale"] = str(source.info.time_base.denominator)
    if any(name.startswith("com.") for name in source.container.metadata):
        options["movflags"] = "use_metadata_tags"
    return options


def _add_streams(
    container: OutputContainer, source: Source, chosen: ChosenEncoder, threads: int, copy: StreamCopy
) -> VideoStream:
    """Recreate all streams in the source's order."""
    video: VideoStream | None = None
    for stream in source.container.streams:
        if stream.index == source.info.stream_index:
            video = _add_video(container, source, chosen, threads)
        else:
            copy.add(stream)
    assert video is not None
    return video


def _add_video(container: OutputContainer, source: Source, chosen: ChosenEncoder, threads: int) -> VideoStream:
    video = container.add_stream(chosen.name, rate=source.info.average_rate)
    assert isinstance(video, VideoStream)
    configure(video.codec_context, source.info, chosen.pixel_format, chosen.options, threads)
    if chosen.name == "libx265" and container.format.name in _QUICKTIME_FAMILY:
        video.codec_context.codec_tag = _APPLE_HEVC_TAG
    video.time_base = source.info.time_base
    video.metadata.update(stream_metadata(source.stream))
    video.disposition = source.stream.disposition
    if source.info.display_matrix is not None:
        video.set_display_matrix(source.info.display_matrix)
    return video


def _words_lost(source: Source, container: str) -> Iterator[str]:
    """Name what MPEG-TS has no place for."""
    lost = {"chapters": source.chapters(), "titles and tags": container_metadata(source.container)}
    if container == "mpegts" and any(lost.values()):
        yield f"MPEG-TS holds no {' and no '.join(what for what in lost if lost[what])}; to keep them:  -o out.mkv"


def _notes(chosen: ChosenEncoder, info: VideoInfo, container: str) -> list[str]:
    notes = [] if chosen.note is None else [chosen.note]
    notes += [f"{name} metadata describes the old pixels and is left out" for name in info.dynamic_hdr]
    if info.hdr10 is not None and chosen.name != "libx265":
        notes.append(f"{chosen.name} can't write HDR10 metadata; to keep it:  --encoder libx265")
    if info.display_matrix is not None and container == "mpegts":
        notes.append(
            f"MPEG-TS can't say that the video is shown rotated by {info.rotation_deg} degrees; use -o out.mkv"
        )
    return notes
