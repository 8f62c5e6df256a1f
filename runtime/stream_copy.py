"""All streams but the enhanced one, taken over packet by packet."""

import io
from pathlib import Path

import av
from av.container import OutputContainer
from av.format import Flags as FormatFlags
from av.stream import AttachmentStream, Discard, Stream

from runtime.copied_packet import CopiedPacket
from runtime.decoder import Source
from runtime.metadata import stream_metadata

# what MPEG-TS gives a meaning to; FFmpeg would write anything else as private data that nothing can play
_MPEGTS_CODECS = {
    *("aac", "aac_latm", "ac3", "eac3", "dts", "truehd", "mp1", "mp2", "mp3", "opus", "s302m", "pcm_bluray"),
    *("h264", "hevc", "mpeg2video", "mpeg1video", "mpeg4"),
    *("dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle", "klv", "scte_35", "smpte_2038", "timed_id3"),
}
_MAY_REPEAT_DTS = int(FormatFlags.ts_nonstrict.value)  # type: ignore[call-overload]  # an int, whatever the stubs say


class StreamCopy:
    """Streams of a source recreated in an output, and the way from one to the other.

    Attributes:
        notes: a sentence for every stream that the output's container can't hold.
        n_repaired: packets whose time stamp was missing or earlier than the one before.
    """

    def __init__(self, source: Source, sink: OutputContainer, output: Path) -> None:
        self.notes: list[str] = []
        self.n_repaired = 0
        self._source = source
        self._sink = sink
        self._output = output
        self._streams: dict[int, Stream] = {}
        self._earliest_dts: dict[int, int] = {}
        self._is_strict = not sink.format.flags & _MAY_REPEAT_DTS

    def add(self, stream: Stream) -> None:
        """Recreate a stream of the source, or note why it is left out."""
        if self._is_chapter_track(stream) or self._is_timecode_track(stream):
            return
        if self._is_attached_in_matroska(stream):
            self._attach(stream)
        elif _fits(stream, self._sink.format.name):
            self._streams[stream.index] = _recreated(stream, self._sink)
        else:
            self.notes.append(
                f"stream {stream.index} ({_described(stream)}) doesn't fit in {self._output.suffix} and is left out; "
                f"to keep it:  -o {self._output.with_suffix('.mkv').name}"
            )

    def copy(self, copied: CopiedPacket) -> None:
        """Mux a packet, its bytes untouched; nothing happens if its stream was left out."""
        stream = self._streams.get(copied.stream_index)
        if stream is None or self._is_gap(copied):
            return
        self._repair(copied)
        copied.packet.stream = stream
        self._sink.mux(copied.packet)

    def _repair(self, copied: CopiedPacket) -> None:
        """Mend what a muxer would refuse: a packet without any time stamp, and a dts that goes back.

        Where only one of pts and dts is missing the muxer knows better than we do, except for the pts of a packet
        that isn't reordered.
        """
        packet, earliest = copied.packet, self._earliest_dts.get(copied.stream_index)
        if packet.pts is None and packet.dts is None:
            self.n_repaired += copied.stream_index not in self._source.covers
            packet.dts = earliest or 0
        if packet.dts is not None and earliest is not None and packet.dts < earliest:
            self.n_repaired += 1
            packet.dts = earliest
            packet.pts = None if packet.pts is None else max(packet.pts, earliest)
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.dts is not None:
            self._earliest_dts[copied.stream_index] = packet.dts + self._smallest_step(packet.stream)

    def _smallest_step(self, stream: Stream) -> int:
        return 1 if self._is_strict and stream.type in ("audio", "video") else 0

    def _is_gap(self, copied: CopiedPacket) -> bool:
        """Tell the empty text that ends a subtitle in MP4: the muxer writes it again."""
        return _codec_name(copied.packet.stream) == "mov_text" and bytes(copied.packet) == b"\0\0"

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
    if stream.type == "unknown":
        return False
    if container == "mpegts":
        return _codec_name(stream) in _MPEGTS_CODECS
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
