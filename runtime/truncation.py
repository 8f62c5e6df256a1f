"""Telling a file that was cut off from one whose container merely miscounts."""

import av
from av.container import InputContainer
from av.stream import Stream

from cvqe.frame import Frame
from runtime.copied_packet import CopiedPacket
from runtime.video_info import VideoInfo

# elsewhere FFmpeg guesses a length from what is there, or from a bit rate
STORES_ITS_LENGTH = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "asf", "mxf", "nut"}
# FFmpeg writes into it when the last frame ends, which for a part cut out of the middle is no length
_TELLS_ITS_END = "matroska,webm"
# last frames without a duration, edit lists and rounding stay below this; a cut worth a word does not
SLACK_SHARE = 0.05
SLACK_MIN_S, SLACK_MAX_S = 0.5, 2.0


class Coverage:
    """How much of the time that a container promises its packets and frames really covered.

    The promise is the stream's duration, else the container's, else its frame count, in this order: counts are the
    most often wrong. A container's duration is that of its longest stream, so any stream may fulfil it.
    """

    def __init__(self, container: InputContainer, info: VideoInfo) -> None:
        stream = container.streams[info.stream_index]
        self._info = info
        self._is_per_stream = stream.duration is not None
        self._start_s = _start_s(container, stream, self._is_per_stream)
        if info.container == _TELLS_ITS_END and 0 < self._start_s < (info.duration_s or 0):
            self._start_s = 0.0
        self._end_s = self._start_s

    def see(self, item: Frame | CopiedPacket) -> None:
        """Take note of a decoded frame or a packet of another stream."""
        if isinstance(item, Frame):
            self._end_s = max(self._end_s, item.pts_s + max(item.duration_s, float(1 / self._info.average_rate)))
        elif not self._is_per_stream and item.ends_s is not None:
            self._end_s = max(self._end_s, item.ends_s)

    def note(self, n_frames: int) -> str | None:
        """Say what is missing at the end of the file, or None when nothing is to speak of."""
        if self._info.container not in STORES_ITS_LENGTH:
            return None
        info, covered_s = self._info, self._end_s - self._start_s
        if info.duration_s is None:
            return self._note_by_count(n_frames)
        missing_s = info.duration_s - covered_s
        if missing_s <= _slack_s(info.duration_s):
            return None
        return (
            f"the file ends early: {n_frames} frames, {covered_s:.1f} s of the {info.duration_s:.1f} s that its "
            f"container promises; it was cut off, or copied only in part"
        )

    def _note_by_count(self, n_frames: int) -> str | None:
        claimed = self._info.n_frames_claimed or 0
        rate = float(self._info.average_rate)
        if claimed - n_frames <= rate * _slack_s(claimed / rate):
            return None
        return f"the file ends early: {n_frames} frames of the {claimed} that its container promises"


def _slack_s(length_s: float) -> float:
    return min(max(SLACK_SHARE * length_s, SLACK_MIN_S), SLACK_MAX_S)


def _start_s(container: InputContainer, stream: Stream, is_per_stream: bool) -> float:
    if is_per_stream and stream.start_time is not None and stream.time_base is not None:
        return float(stream.start_time * stream.time_base)
    return 0.0 if container.start_time is None else container.start_time / av.time_base
