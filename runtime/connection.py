"""A source as long as it stays open: its container, the stream to enhance, and that stream's decoder."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from runtime.input_file import open_container, video_stream
from runtime.live_container import open_live_container
from runtime.live_input import LiveInput
from runtime.source_address import Kind, SourceAddress
from runtime.tolerant_decoder import DecoderOptions, Tally, TolerantDecoder

_PLAYLISTS = {"hls", "dash"}  # a few lines that name the next pieces: their size tells nothing
StreamCheck = Callable[[VideoStream], None]
Layout = tuple[tuple[str, str, Fraction | None, bool], ...]


@dataclass(frozen=True)
class Connection:
    """One opening of a source."""

    container: InputContainer
    stream: VideoStream
    decoder: TolerantDecoder

    @property
    def layout(self) -> Layout:
        """Of every stream its type, codec and time base, and whether it is the one to enhance."""
        return tuple(
            (stream.type, _codec_name(stream), stream.time_base, stream.index == self.stream.index)
            for stream in self.container.streams
        )

    @property
    def has_length(self) -> bool:
        """Whether the sender knows where it ends, as of a file on a server."""
        is_playlist = self.container.format.name in _PLAYLISTS
        return self.container.duration is not None or (self.container.size > 0 and not is_playlist)


@dataclass(frozen=True)
class Connector:
    """How to open a source, the first time and again."""

    address: SourceAddress
    live: LiveInput
    options: DecoderOptions
    tally: Tally
    check: StreamCheck | None = None

    def connect(self, open_timeout_s: float, stopped: threading.Event) -> Connection:
        """Open the source; a live one has so many seconds to answer, and `stopped` ends the reading of a pipe.

        Raises:
            InputError: it can't be read as a video.
        """
        container = self._container(open_timeout_s, stopped)
        try:
            stream = video_stream(container, self.address.text)
            if self.check:
                self.check(stream)
            decoder = TolerantDecoder(self.address.name, stream, self.options, self.tally, self._reopen)
        except BaseException:
            container.close()
            raise
        return Connection(container, stream, decoder)

    def _container(self, open_timeout_s: float, stopped: threading.Event) -> InputContainer:
        if self.address.kind is Kind.FILE:
            assert self.address.path is not None
            return open_container(self.address.path, self.live)
        return open_live_container(self.address, self.live, open_timeout_s, stopped)

    @property
    def _reopen(self) -> Callable[[], InputContainer] | None:
        path = self.address.path
        return None if path is None else lambda: open_container(path, self.live)


def _codec_name(stream: Stream) -> str:
    return stream.codec_context.codec.canonical_name if stream.codec_context else ""
