"""One encoder for each segment of a video, so that a segment that is kept needs nothing of those before it."""

from collections.abc import Callable, Iterator

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from runtime.resume_record import ResumeRecord

MOST_UNORDERED = 2  # frames, of which no encoder makes a B-frame, for it would come last


class SegmentedEncoder:
    """Pictures in, packets out, both of one video in order; every segment begins with a key frame.

    Attributes:
        n_frames: taken so far.
    """

    def __init__(self, opened: Callable[[], VideoCodecContext], record: ResumeRecord | None = None) -> None:
        """Prepare to encode.

        Args:
            opened: gives a new encoder, set up and open.
            record: how long segments are, and where complete ones are kept; None: the whole video is one.
        """
        self.n_frames = 0
        self._opened, self._record = opened, record
        self._encoder: VideoCodecContext | None = None
        self._n_fallen_back = self._n_given = 0

    def encode(self, picture: av.VideoFrame, is_fallen_back: bool = False) -> "Iterator[Packet[Stream]]":
        """Yield the packets that this picture completes; those at the end of a segment all at once.

        Raises:
            FFmpegError: the encoder failed.
            CvqeError: the disk is full.
        """
        self._encoder = self._encoder or self._opened()
        yield from self._kept(self._encoder.encode(picture))
        self.n_frames += 1
        self._n_given += 1
        self._n_fallen_back += is_fallen_back
        if self._record and self.n_frames % self._record.n_segment == 0:
            yield from self.flush()
            self._record.end_segment(self._n_fallen_back)
            self._n_fallen_back = 0

    def skip(self) -> "Iterator[Packet[Stream]]":
        """Take the next picture as it was recorded; yields a whole segment with its first one."""
        assert self._record and self.n_frames < self._record.n_found
        number, place = divmod(self.n_frames, self._record.n_segment)
        if place == 0:
            yield from self._record.packets(number)
        self.n_frames += 1

    def flush(self) -> "Iterator[Packet[Stream]]":
        """Yield what is still inside the encoder; what follows begins with a new one."""
        if self._encoder:
            packets = self._encoder.encode(None)
            if self._n_given <= MOST_UNORDERED:  # x265 4.2 leaves their dts to chance
                _decode_in_order(packets)
            yield from self._kept(packets)
        self._encoder, self._n_given = None, 0

    def _kept(self, packets: "list[Packet[Stream]]") -> "Iterator[Packet[Stream]]":
        for packet in packets:
            if self._record:
                self._record.add(packet)
            yield packet


def _decode_in_order(packets: "list[Packet[Stream]]") -> None:
    for packet in packets:
        packet.dts = packet.pts
