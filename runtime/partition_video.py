"""Drawn frames as a video with the time stamps of the clip's; the final name is for a finished file."""

from pathlib import Path

import av
from av.codec.codec import UnknownCodecError
from av.video.stream import VideoStream

from cvqe.errors import CvqeError
from cvqe.frame import Frame
from runtime.decoder import Source
from runtime.muxer import Muxer
from runtime.output_path import container_format, partial_path
from runtime.partition_drawing import Rgb
from runtime.partition_sheet import Sheet

ENCODER = "libx264"
_OPTIONS = {"preset": "veryfast", "crf": "16"}  # thin lines are lost at a lower quality
_BT709, _LIMITED = 1, 1


class DrawnVideo:
    """Draws every frame.

    Attributes:
        written: the file, once it is closed.
    """

    def __init__(self, path: Path, source: Source, sheet: Sheet) -> None:
        """Start a file beside its final name; path has been approved by check_output."""
        self.written: list[Path] = []
        self._path = path
        self._sheet = sheet
        self._partial = partial_path(path)
        self._rate, self._time_base = source.info.average_rate, source.info.time_base
        self._muxer: Muxer | None = None
        self._video: VideoStream | None = None

    def draw(self, frame: Frame) -> None:
        """Draw a frame and encode it.

        Raises:
            CvqeError: there is no encoder, or the file can't be written.
        """
        rgb = self._sheet.draw(frame)
        if self._muxer is None:
            self._open(rgb)
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1)
        picture.pts, picture.time_base = frame.pts, frame.time_base
        self._encode(picture)

    def close(self) -> None:
        """Write what is still inside the encoder and give the file its final name, replacing what has it."""
        if self._muxer is None:
            return
        self._encode(None)
        self._muxer.close()
        self._partial.replace(self._path)
        self._muxer, self.written = None, [self._path]

    def discard(self) -> None:
        """Remove what was written, unless it was closed."""
        if self._muxer is not None:
            self._muxer.discard()
            self._partial.unlink(missing_ok=True)
            self._muxer = None

    def _open(self, rgb: Rgb) -> None:
        container = av.open(str(self._partial.absolute()), "w", format=container_format(self._path))
        self._muxer = Muxer(container, str(self._partial))
        try:
            video = container.add_stream(ENCODER, rate=self._rate)
        except UnknownCodecError as error:
            raise CvqeError(f"this FFmpeg has no {ENCODER} to write a video; draw pictures:  -o FOLDER") from error
        assert isinstance(video, VideoStream)
        video.height, video.width = rgb.shape[:2]
        context = video.codec_context
        context.pix_fmt, context.options = "yuv420p", _OPTIONS
        context.time_base = video.time_base = self._time_base
        context.colorspace, context.color_range = _BT709, _LIMITED
        context.color_primaries, context.color_trc = _BT709, _BT709
        self._video = video
        self._muxer.write_header()

    def _encode(self, picture: av.VideoFrame | None) -> None:
        assert self._muxer is not None and self._video is not None
        try:
            packets = self._video.encode(picture)
        except av.FFmpegError as error:
            raise CvqeError(f"{ENCODER} failed ({error.strerror}); draw pictures instead:  -o FOLDER") from error
        for packet in packets:
            self._muxer.mux(packet)
