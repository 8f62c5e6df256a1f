"""Opening a file as a video, or one sentence on why it isn't one."""

import os
from itertools import islice
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from cvqe.errors import InputError
from runtime.demuxer import open_demuxer
from runtime.live_input import ORDINARY, LiveInput
from runtime.mp4_boxes import outer_boxes

_MOST_BOXES = 64  # to look at, in a file that may be anything


def open_container(path: Path, settings: LiveInput = ORDINARY) -> InputContainer:
    """Open a media file for reading.

    Args:
        settings: those that count for a file.

    Raises:
        InputError: no such file, a directory, unreadable, empty, not a media file, or cut before its index.
    """
    _check_file(path)
    try:
        return open_demuxer(str(path.absolute()), settings)
    except av.FFmpegError as error:
        raise InputError(_why_not_opened(path, error)) from error


def video_stream(container: InputContainer, source: Path | str) -> VideoStream:
    """Pick the stream to enhance: of those that aren't cover art, the one marked default, else FFmpeg's choice.

    Args:
        source: the path, or what messages call it.

    Raises:
        InputError: there is no video, only cover art, or no decoder for it.
    """
    videos = [stream for stream in container.streams.video if not is_cover(stream)]
    if not videos:
        raise InputError(_why_no_video(container, source))
    best = container.streams.best("video")
    defaults = [stream for stream in videos if stream.disposition & Disposition.default]
    stream = best if best in defaults else (defaults or [best if best in videos else videos[0]])[0]
    assert isinstance(stream, VideoStream)
    if stream.codec_context is None:
        raise InputError(
            f"{source}: stream {stream.index} is video of a codec that FFmpeg can't decode here; convert it first"
        )
    return stream


def is_cover(stream: Stream) -> bool:
    """Tell an attached picture (cover art, a thumbnail) from a video."""
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _check_file(path: Path) -> None:
    if not os.path.exists(path):  # noqa: PTH110  # Path.exists raises for a name that is too long
        raise InputError(f"{path}: no such file; give the path of a video")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give one video file inside it")
    if not path.is_file():
        return  # a block device, which has no size to speak of
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes); a video was expected: copy or download it again")
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(
            f"{path} can't be read ({error.strerror}); change its permissions: chmod u+r {path}"
        ) from error


def _why_not_opened(path: Path, error: av.FFmpegError) -> str:
    if _lacks_moov(path):
        return f"{path} is an MP4 cut off before its index (no moov atom); copy or download the whole file again"
    return f"{path} is not a video that FFmpeg can read ({error.strerror}); give a video file, like .mp4, .mkv or .ts"


def _lacks_moov(path: Path) -> bool:
    """Tell an MP4 that ends before its index; its last box may be cut off, too."""
    names = [name for name, _, _ in islice(outer_boxes(path), _MOST_BOXES)]
    return names[:1] == [b"ftyp"] and b"moov" not in names


def _why_no_video(container: InputContainer, source: Path | str) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
    held = " and ".join(kinds) or "no stream"
    cover = " and cover art" if container.streams.video else ""
    return f"{source} has no video stream (it holds {held}{cover}); give a file with moving pictures"
