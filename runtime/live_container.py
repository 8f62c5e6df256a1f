"""Opening a pipe, a network address or a device, or one sentence on why it gives no video."""

import math
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import IO

import av
from av.container import InputContainer

from cvqe.errors import InputError
from runtime.demuxer import open_demuxer
from runtime.live_input import LiveInput
from runtime.pipe_reader import PipeReader
from runtime.source_address import STANDARD_INPUT_URL, Kind, SourceAddress

_EXAMPLE = "ffmpeg -i in.mp4 -c copy -f matroska - | python runtime/stream.py - -o out.mkv"


def open_live_container(
    address: SourceAddress, settings: LiveInput, open_timeout_s: float, stopped: threading.Event
) -> InputContainer:
    """Open what isn't a file; no later read takes longer than settings.stall_s, but for a pipe's, which can be stopped.

    Raises:
        InputError: nobody sends, it isn't a video, or a device without the name of what reads it.
    """
    _check_readable(address, settings)
    try:
        if address.kind is Kind.PIPE and os.name == "posix":  # elsewhere only sockets can be waited for
            return open_demuxer(PipeReader(_opened_pipe(address), stopped), settings)
        return open_demuxer(address.url, _patient(settings, open_timeout_s), (open_timeout_s, settings.stall_s))
    except av.FFmpegError as error:
        raise InputError(_why_not_opened(address, settings, error, open_timeout_s)) from error


def _opened_pipe(address: SourceAddress) -> IO[bytes]:
    """Open a named pipe, which waits for its writer, or take standard input as it is."""
    return sys.stdin.buffer if address.url == STANDARD_INPUT_URL else Path(address.url).open("rb", buffering=0)


def _patient(settings: LiveInput, open_timeout_s: float) -> LiveInput:
    """Tell an RTSP listener how long to listen: FFmpeg takes its own default for an error."""
    if settings.options.get("rtsp_flags") != "listen":
        return settings
    return replace(settings, options={"listen_timeout": str(math.ceil(open_timeout_s)), **settings.options})


def why_broken_off(error: av.FFmpegError, stall_s: float) -> str:
    """Say in a few words what ended the reading."""
    return f"nothing came for {stall_s:g} s" if isinstance(error, av.ExitError) else str(error.strerror)


def _check_readable(address: SourceAddress, settings: LiveInput) -> None:
    if address.url == STANDARD_INPUT_URL and sys.__stdin__ is not None and sys.__stdin__.isatty():
        raise InputError(f"standard input is a terminal; a video was expected, as in:  {_EXAMPLE}")
    if address.kind is Kind.DEVICE and settings.format is None:
        raise InputError(
            f"{address.text} is a device; say which of FFmpeg's input formats reads it, for a camera:  "
            "--input-format v4l2"
        )


def _why_not_opened(address: SourceAddress, settings: LiveInput, error: av.FFmpegError, open_timeout_s: float) -> str:
    reason = why_broken_off(error, open_timeout_s)
    if address.kind is Kind.NETWORK:
        return f"{address.text} can't be opened ({reason}); check the address, and that its sender is on"
    if address.kind is Kind.DEVICE:
        return f"{address.text} can't be opened as {settings.format} ({reason}); check that the device is plugged in"
    return (
        f"{address.text} is not a video that FFmpeg can read as it comes ({reason}); MPEG-TS, Matroska or fragmented "
        f"MP4 was expected, as in:  {_EXAMPLE}"
    )
