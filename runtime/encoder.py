"""The way out: enhanced frames encoded and muxed with the source's other streams; the final name is for finished files.

frames --> encode --+
copied packets -----+--> mux --> out.partial.mp4 --> (all there) --> out.mp4
"""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from cvqe.errors import CvqeError
from cvqe.file_lock import locked
from runtime.copied_packet import CopiedPacket
from runtime.decoder import Source
from runtime.encoder_choice import ChosenEncoder, choose_encoder
from runtime.encoder_settings import EncoderOptions, configure
from runtime.metadata import container_metadata, stream_metadata
from runtime.muxer import Muxer
from runtime.output_path import container_format, partial_path
from runtime.planar_picture import same_samples
from runtime.stream_copy import StreamCopy
from runtime.video_info import VideoInfo

_QUICKTIME_FAMILY = {"mp4", "mov"}
_APPLE_HEVC_TAG = "hvc1"  # mp4's other tag for HEVC, hev1, doesn't play in QuickTime


def open_sink(path: Path, source: Source, options: EncoderOptions | None = None) -> "Sink":
    """Open the encoder, and write the header of an output beside its final name.

    Args:
        path: the final name, already approved by check_output.
        source: gives size, format, clock and colours of the frames, and the streams to be copied.
        options: what the user asks of the encoder.

    Raises:
        UsageError: options that exclude each other, or that the encoder doesn't have.
        CvqeError: no encoder takes these frames, the file can't be written, or another run is writing it.
    """
    options = options or EncoderOptions()
    chosen = choose_encoder(source.info, options, container_format(path))
    with ExitStack() as lock:
        lock.enter_context(locked(partial_path(path), waits=False))
        sink = Sink(path, source, chosen, options.threads)
        try:
            sink.write_header()
        except BaseException:
            sink.discard()
            raise
        sink.hold(lock.pop_all())
    return sink


class Sink:
    """One output being written, a context manager; used by one thread at a time.

    Leaving the context before close() or finish_partial() discards what was written.

    Attributes:
        path: the final name; until close() the file is partial_path(path).
        encoder: FFmpeg's name of the encoder in use.
        n_frames: frames written so far.
    """

    def __init__(self, path: Path, source: Source, chosen: ChosenEncoder, threads: int) -> None:
        self.path = path
        self.encoder = chosen.name
        self.n_frames = 0
        self._pixel_format = chosen.pixel_format
        self._size = (source.info.width, source.info.height)
        self._partial = partial_path(path)
        self._is_open = True
        self._lock = ExitStack()
        self._muxer = Muxer(_opened(self._partial, source), self._partial)
        self._copy = StreamCopy(source, self._muxer, path)
        self._video = _add_streams(self._muxer.container, source, chosen, threads, self._copy)
        self._notes = _notes(chosen, source.info, self._muxer.container.format.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    @property
    def notes(self) -> list[str]:
        """What the user should know: an encoder replaced, streams left out, tags that can't be kept."""
        notes = self._notes + self._copy.notes
        if self._copy.n_repaired:
            notes.append(f"{self._copy.n_repaired} time stamps of copied packets were missing or went back: mended")
        if self._muxer.n_refused:
            notes.append(f"{self._muxer.n_refused} damaged packets of copied streams couldn't be written: left out")
        return notes

    def hold(self, lock: ExitStack) -> None:
        """Take over what keeps other runs away from the file, until it has a name that stays."""
        self._lock = lock

    def write_header(self) -> None:
        """Open the encoder and the file."""
        self._muxer.write_header()

    def write_frame(self, picture: av.VideoFrame) -> None:
        """Encode the next frame, of the source's size and pixel format, with a pts later than the last one's.

        Raises:
            CvqeError: the disk is full, or the encoder failed.
        """
        assert (picture.width, picture.height) == self._size  # PyAV would scale it in silence
        picture.pict_type = 0  # else the encoder would repeat the source's choice of I, P and B
        if picture.format.name != self._pixel_format:
            picture = same_samples(picture, self._pixel_format)
        self._encode(picture)
        self.n_frames += 1

    def copy_packet(self, packet: CopiedPacket) -> None:
        """Mux a packet of another stream as it is; one of a stream that was left out is ignored.

        Raises:
            CvqeError: the disk is full, or the container refuses the packet.
        """
        self._copy.copy(packet)

    def close(self) -> Path:
        """Write what is still inside the encoder and give the file its final name, replacing what has it."""
        with self._lock:
            self._finish()
            self._partial.replace(self.path)
        return self.path

    def finish_partial(self) -> Path | None:
        """End early: leave a playable file under the partial name, or nothing if no frame was written."""
        if self.n_frames == 0:
            self.discard()
            return None
        with self._lock:
            self._finish()
        return self._partial

    def discard(self) -> None:
        """Remove what was written, unless it was closed or finished."""
        with self._lock:
            self._remove()

    def _remove(self) -> None:
        if self._is_open:
            self._is_open = False
            self._muxer.discard()

    def _finish(self) -> None:
        try:
            self._encode(None)
            self._muxer.close()
        except BaseException:
            self._remove()  # while the lock is held: later it might be another run's
            raise
        self._is_open = False

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            packets = self._video.encode(picture)
        except av.FFmpegError as error:
            raise CvqeError(
                f"{self.encoder} failed at frame {self.n_frames} ({error.strerror}); try another:  --encoder ffv1"
            ) from error
        for packet in packets:
            self._muxer.mux(packet)


def _opened(partial: Path, source: Source) -> OutputContainer:
    container = av.open(
        str(partial.absolute()),
        "w",
        format=container_format(partial),
        container_options=_muxer_options(partial, source),
    )
    container.metadata.update(container_metadata(source.container))
    container.set_chapters(source.chapters())
    return container


def _muxer_options(partial: Path, source: Source) -> dict[str, str]:
    """Make muxers keep the source's clock, and Apple's own tags where there are any."""
    form = container_format(partial)
    if form == "mpegts":
        return {"mpegts_copyts": "1", "max_delay": "700000"}
    if form not in _QUICKTIME_FAMILY:
        return {}
    options = {}
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
