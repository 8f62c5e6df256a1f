"""All streams but the enhanced one, taken over packet by packet."""

import io
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import OutputContainer
from av.format import Flags as FormatFlags
from av.rational import AVRational
from av.stream import AttachmentStream, Discard, Stream

from runtime.copied_packet import CopiedPacket
from runtime.decoder import Source
from runtime.dts_repair import DtsRepair
from runtime.metadata import stream_metadata
from runtime.muxer import Muxer

# what MPEG-TS gives a meaning to; FFmpeg would write anything else as private data that nothing can play
_MPEGTS_CODECS = {
    *("aac", "aac_latm", "ac3", "eac3", "dts", "truehd", "mp1", "mp2", "mp3", "opus", "s302m", "pcm_bluray"),
    *("h264", "hevc", "mpeg2video", "mpeg1video", "mpeg4"),
    *("dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle", "klv", "scte_35", "smpte_2038", "timed_id3"),
}
_MAY_REPEAT_DTS = int(FormatFlags.ts_nonstrict.value)  # type: ignore[call-overload]  # an int, whatever the stubs say


@dataclass(frozen=True)
class _Track:
    """A recreated stream, and what must be known of its packets after the source is closed."""

    stream: Stream
    is_mp4_text: bool
    repair: DtsRepair


class StreamCopy:
    """Streams of a source recreated in an output, and the way from one to the other.

    Attributes:
        notes: a sentence for every stream that the output's container can't hold.
    """

    def __init__(self, source: Source, muxer: Muxer, output: Path) -> None:
        self.notes: list[str] = []
        self._source = source
        self._muxer = muxer
        self._sink = muxer.container
        self._output = output
        self._tracks: dict[int, _Track] = {}

    @property
    def n_repaired(self) -> int:
        """Packets so far whose time stamp was missing or went back."""
        return sum(track.repair.n_repaired for track in self._tracks.values())

    def add(self, stream: Stream) -> None:
        """Recreate a stream of the source, or note why it is left out."""
        if self._is_chapter_track(stream) or self._is_timecode_track(stream):
            return
        if self._is_attached_in_matroska(stream):
            self._attach(stream)
        elif _fits(stream, self._sink.format.name):
            self._tracks[stream.index] = self._track(stream)
        else:
            self.notes.append(
                f"stream {stream.index} ({_described(stream)}) doesn't fit in {self._output.suffix} and is left out; "
                f"to keep it:  -o {self._output.with_suffix('.mkv').name}"
            )

    def copy(self, copied: CopiedPacket) -> None:
        """Mux a packet, its bytes untouched; nothing happens if its stream was left out."""
        track, packet = self._tracks.get(copied.stream_index), copied.packet
        # the empty text that ends a subtitle in MP4 is the muxer's own work
        if track is None or (track.is_mp4_text and bytes(packet) == b"\0\0"):
            return
        assert track.stream.time_base is not None
        # a coarser clock may make neighbours equal, so they are mended in the output's
        packet.rescale_ts(AVRational(track.stream.time_base))
        if copied.stream_index not in self._source.covers:
            track.repair.mend(packet)
        packet.stream = track.stream
        self._muxer.mux(packet)

    def _track(self, stream: Stream) -> _Track:
        may_repeat = bool(self._sink.format.flags & _MAY_REPEAT_DTS) or stream.type not in ("audio", "video")
        return _Track(_recreated(stream, self._sink), _codec_name(stream) == "mov_text", DtsRepair(may_repeat))

    def _is_chapter_track(self, stream: Stream) -> bool:
        """Tell the text track by which QuickTime names chapters: they are written again from the chapter list."""
        return stream.discard == Discard.all and bool(self._source.container.chapters())

    def _is_timecode_track(self, stream: Stream) -> bool:
        """Tell QuickTime's timecode track: it is written again from the video's timecode tag."""
        return stream.type == "data" and "timecode" in stream.metadata and "timecode" in self._source.stream.metadata

    def _is_attached_in_matroska(self, stream: Stream) -> bool:
        return stream.index in self._source.covers and self._sink.format.name == "matroska"

    def _attach(self, stream: Stream) -> None:
        """Write cover art as Matroska does, as an attached file."""
        extension = {"mjpeg": "jpg"}.get(stream.codec_context.name, stream.codec_context.name)
        name = stream.metadata.get("filename", f"cover.{extension}")
        mimetype = stream.metadata.get("mimetype", f"image/{extension.replace('jpg', 'jpeg')}")
        self._sink.add_attachment(name, mimetype, self._source.covers[stream.index])


def _fits(stream: Stream, container: str) -> bool:
    """Ask the muxer itself: only a header that is really written shows what it takes."""
    if stream.type == "unknown" or (container == "mpegts" and _codec_name(stream) not in _MPEGTS_CODECS):
        return False
    try:
        with av.open(io.BytesIO(), "w", format=container) as scratch:
            _recreated(stream, scratch)
            scratch.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _recreated(stream: Stream, sink: OutputContainer) -> Stream:
    copy = sink.add_stream_from_template(stream, opaque=True)
    copy.metadata.clear()
    copy.metadata.update(stream_metadata(stream))
    copy.disposition = stream.disposition
    return copy


def _described(stream: Stream) -> str:
    return f"{_codec_name(stream) or 'unknown codec'}, {stream.type}"


def _codec_name(stream: Stream) -> str | None:
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    return None if isinstance(stream, AttachmentStream) else getattr(stream, "name", None)
