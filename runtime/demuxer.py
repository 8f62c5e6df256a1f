"""Opening FFmpeg's demuxer the way the runtime reads: with its settings, and with no time stamps made up."""

import av
from av.container import InputContainer
from av.container.core import Flags
from av.format import ContainerFormat

from cvqe.errors import InputError
from runtime.live_input import LiveInput
from runtime.pipe_reader import PipeReader

_GUESS_MISSING_PTS = int(Flags.gen_pts.value)  # type: ignore[call-overload]  # an int, whatever the stubs say


def open_demuxer(
    url: str | PipeReader, settings: LiveInput, timeout: tuple[float, float] | None = None
) -> InputContainer:
    """Open what FFmpeg calls `url`, or what is read for it.

    Args:
        timeout: seconds until its streams must be known, and until a packet must come; None waits.

    Raises:
        FFmpegError: it can't be opened.
        InputError: FFmpeg has no such input format.
    """
    if settings.format is not None:
        _check_format(settings.format)
    container = av.open(
        url, "r", format=settings.format, options=dict(settings.options), timeout=timeout, metadata_errors="replace"
    )
    # PyAV guesses missing time stamps by default, wrongly for B-frames in AVI; pts_repair.py does better
    container.flags &= ~_GUESS_MISSING_PTS
    return container


def _check_format(name: str) -> None:
    try:
        ContainerFormat(name, "r")
    except ValueError as error:
        raise InputError(
            f"the FFmpeg inside PyAV {av.__version__} has no input format {name!r}; to list those it has:  "
            'python -c "import av; print(*sorted(av.formats_available))"'
        ) from error
