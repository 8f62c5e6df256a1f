"""Opening a file as a video, or one sentence on why it isn't one."""

from pathlib import Path

import av
from av.container import InputContainer
from av.container.core import Flags
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from cvqe.errors import InputError

_GUESS_MISSING_PTS = int(Flags.gen_pts.value)  # type: ignore[call-overload]  # an int, whatever the stubs say


def open_container(path: Path) -> InputContainer:
    """Open a media file for reading.

    Raises:
        InputError: no such file, a directory, unreadable, empty, not a media file, or cut before its index.
    """
    _check_file(path)
    try:
        container = av.open(str(path.absolute()), metadata_errors="replace")
    except av.FFmpegError as error:
        raise InputError(_why_not_opened(path, error)) from error
    # PyAV guesses missing time stamps by default, wrongly for B-frames in AVI; pts_repair.py does better
    container.flags &= ~_GUESS_MISSING_PTS
    return container


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Pick the stream to enhance: of those that aren't cover art, the one marked default, else FFmpeg's choice.

    Raises:
        InputError: there is no video, only cover art, or no decoder for it.
    """
    videos = [stream for stream in container.streams.video if not is_cover(stream)]
    if not videos:
        raise InputError(_why_no_video(container, path))
    best = container.streams.best("video")
    defaults = [stream for stream in videos if stream.disposition & Disposition.default]
    stream = best if best in defaults else (defaults or [best if best in videos else videos[0]])[0]
    assert isinstance(stream, VideoStream)
    if stream.codec_context is None:
        raise InputError(
            f"{path.name}: stream {stream.index} is video of a codec that FFmpeg can't decode here; convert it first"
        )
    return stream


def is_cover(stream: Stream) -> bool:
    """Tell an attached picture (cover art, a thumbnail) from a video."""
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _check_file(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path}: no such file; give the path of a video")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give one video file inside it")
    if not path.is_file():
        return  # a pipe: its writer would be cut off by a reader that opens it only to look
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
    """Walk the top-level boxes of an MP4."""
    with path.open("rb") as file:
        names = []
        while len(header := file.read(8)) == 8:
            size, name = int.from_bytes(header[:4], "big"), header[4:]
            names.append(name)
            if size == 1:
                size = int.from_bytes(file.read(8), "big") - 8
            if size < 8 or len(names) > 64:
                break
            file.seek(size - 8, 1)
    return names[:1] == [b"ftyp"] and b"moov" not in names


def _why_no_video(container: InputContainer, path: Path) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
    held = " and ".join(kinds) or "no stream"
    cover = " and cover art" if container.streams.video else ""
    return f"{path} has no video stream (it holds {held}{cover}); give a file with moving pictures"
