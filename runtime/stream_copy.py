"""All streams but the enhanced one, taken over packet by packet."""

import io
from dataclasses import dataclass
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.format import Flags as FormatFlags
from av.packet import Packet
from av.rational import AVRational
from av.stream import AttachmentStream, Discard, Stream

from runtime.aac_config import missing_config
from runtime.copied_packet import CopiedPacket
from runtime.decoder import Source
from runtime.destination import Destination
from runtime.dts_repair import DtsRepair
from runtime.metadata import stream_metadata
from runtime.muxer import Muxer

# what MPEG-TS gives a meaning to; FFmpeg would write anything else as private data that nothing can play
_MPEGTS_CODECS = {
    *("aac", "aac_latm", "ac3", "eac3", "dts", "truehd", "mp1", "mp2", "mp3", "opus", "s302m", "pcm_bluray"),
    *("h264", "hevc", "mpeg2video", "mpeg1video", "mpeg4"),
    *("dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle", "klv", "scte_35", "smpte_2038", "timed_id3"),
}
# what travels by RTP: a broadcast's streams without its subtitles, and what else has a payload format
_RTP_CODECS = {
    *("aac", "ac3", "eac3", "mp2", "mp3", "opus", "vorbis", "speex", "amr_nb", "amr_wb", "pcm_mulaw", "pcm_alaw"),
    *("h264", "hevc", "av1", "vp8", "vp9", "mpeg2video", "mpeg1video", "mpeg4"),
}
_CODECS = {"mpegts": _MPEGTS_CODECS, "rtsp": _RTP_CODECS}
_MAY_REPEAT_DTS = int(FormatFlags.ts_nonstrict.value)  # type: ignore[call-overload]  # an int, whatever the stubs say


@dataclass(frozen=True)
class _Track:
    """A recreated stream, and what must be known of its packets after the source is closed."""

    stream: Stream
    is_mp4_text: bool
    repair: DtsRepair
    header_filter: BitStreamFilterContext | None  # where each packet tells what the output's container does


class StreamCopy:
    """Streams of a source recreated in an output, and the way from one to the other.

    Attributes:
        notes: a sentence for every stream that the output's container can't hold.
        left_out: their indices.
    """

    def __init__(self, source: Source, muxer: Muxer, destination: Destination) -> None:
        """Prepare to copy a source's streams into an open output."""
        self.notes: list[str] = []
        self.left_out: list[int] = []
        self._source = source
        self._muxer = muxer
        self._sink = muxer.container
        self._destination = destination
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
        elif _fits(stream, self._destination.container):
            self._tracks[stream.index] = self._track(stream)
        else:
            self.left_out.append(stream.index)
            self.notes.append(
                f"stream {stream.index} ({_described(stream)}) doesn't fit in {self._ending} and is left out; "
                f"to keep it:  {self._advice}"
            )

    def copy(self, copied: CopiedPacket) -> None:
        """Mux a packet, its bytes untouched but for AAC's own headers; nothing happens if its stream was left out."""
        track, packet = self._tracks.get(copied.stream_index), copied.packet
        # the empty text that ends a subtitle in MP4 is the muxer's own work
        if track is None or (track.is_mp4_text and bytes(packet) == b"\0\0"):
            return
        for each in [packet] if track.header_filter is None else self._without_header(track.header_filter, packet):
            self._mux(track, each, copied.stream_index in self._source.covers)

    def _mux(self, track: _Track, packet: "Packet[Stream]", is_cover: bool) -> None:
        assert track.stream.time_base is not None
        # a coarser clock may make neighbours equal, so they are mended in the output's
        packet.rescale_ts(AVRational(track.stream.time_base))
        if not is_cover:
            track.repair.mend(packet)
        packet.stream = track.stream
        self._muxer.mux(packet)

    def _without_header(
        self, header_filter: BitStreamFilterContext, packet: "Packet[Stream]"
    ) -> "list[Packet[Stream]]":
        time_base = packet.time_base
        try:
            filtered = header_filter.filter(packet)
        except av.error.InvalidDataError:
            self._muxer.n_refused += 1
            return []
        for each in filtered:
            each.time_base = time_base
        return filtered

    @property
    def _ending(self) -> str:
        return Path(self._destination.name).suffix or self._destination.container

    @property
    def _advice(self) -> str:
        is_file = self._destination.is_seekable
        return f"-o {Path(self._destination.name).with_suffix('.mkv').name}" if is_file else "--format matroska"

    def _track(self, stream: Stream) -> _Track:
        copy, header_filter = _recreated(stream, self._sink), None
        if config := self._missing_config(stream):
            copy.codec_context.extradata = config
            header_filter = BitStreamFilterContext("aac_adtstoasc", stream)
        may_repeat = bool(self._sink.format.flags & _MAY_REPEAT_DTS) or stream.type not in ("audio", "video")
        return _Track(copy, _codec_name(stream) == "mov_text", DtsRepair(may_repeat), header_filter)

    def _missing_config(self, stream: Stream) -> bytes | None:
        """Give what must stand in the header; a muxer that can go back writes it itself, after the first packet."""
        is_told_elsewhere = self._destination.is_seekable or self._destination.container in _CODECS
        return None if is_told_elsewhere else missing_config(stream)

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
    if stream.type == "unknown" or (container in _CODECS and _codec_name(stream) not in _CODECS[container]):
        return False
    if container == "rtsp":  # writes no header without somebody to write it to
        return True
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
