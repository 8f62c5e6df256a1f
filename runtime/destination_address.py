"""What the text of an output means: a file, or a place where somebody reads while it is written.

better.mp4                     file       written beside its name, which it gets when it is whole
-, a FIFO, /dev/null           stream     of --format, Matroska if nothing is said
udp://, tcp://, rtsp://, ...   stream     MPEG-TS, or what the protocol carries
live.m3u8                      segments   HTTP Live Streaming: a playlist, and segments beside it
part_%05d.ts                   segments   a file after the other, whole ones in part.csv
"""

import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import av

from cvqe.errors import UsageError
from runtime.output_path import CONTAINERS, container_format
from runtime.secrets_hidden import without_secrets

STDOUT = "-"
SEGMENT_S = 4  # of a broadcast; players begin with the third
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_NUMBER = re.compile(r"%0?\d*d")
_FORMATS = {"rtsp": "rtsp", "rtsps": "rtsp", "rtmp": "flv", "rtmps": "flv"}
_FRAGMENTS = {"movflags": "frag_keyframe+delay_moov+default_base_moof"}  # an index at the end is none in a pipe
_AT_ONCE = {"flush_packets": "1"}


@dataclass(frozen=True)
class DestinationAddress:
    """Where an enhanced video goes.

    Attributes:
        text: for messages.
        url: what FFmpeg opens.
        format: FFmpeg's name of the muxer.
        container: whose codecs it takes: segments are files of a container of their own.
        options: of the muxer.
        path: of a file; None for all others.
        written: patterns, as of a shell, of the files that are written beside each other.
    """

    text: str
    url: str
    format: str
    container: str
    options: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    written: tuple[Path, ...] = ()


def is_stdout(given: Path | str | None) -> bool:
    """Tell whether an output goes where else the summary would be printed: `-`, /dev/stdout, /dev/fd/1."""
    if given is None or given == STDOUT:
        return given is not None
    path = Path(given)
    try:
        return not path.is_file() and os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # no such file, or nothing is printed to a file at all
        return False


def destination_address(given: Path | str, asked: str | None = None) -> DestinationAddress:
    """Tell what a path or a text means; a path is never taken for an address.

    Args:
        given: as the user typed it.
        asked: FFmpeg's name of a format, for a stream.

    Raises:
        UsageError: a format that is not known, or not asked for where nothing tells it; or asked for a file, whose
            ending tells it.
    """
    if asked is not None:
        _check_format(asked)
    if given == STDOUT:
        return _stream(STDOUT, f"pipe:{sys.stdout.fileno()}", asked or "matroska")
    scheme = _SCHEME.match(given) if isinstance(given, str) else None
    if scheme and scheme[1].lower() != "file":
        return _stream(without_secrets(str(given)), str(given), asked or _FORMATS.get(scheme[1].lower(), "mpegts"))
    path = Path(unquote(urlsplit(str(given)).path)) if scheme else Path(given)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        return _stream(str(path), str(path.absolute()), asked or CONTAINERS.get(path.suffix.lower(), "matroska"))
    if asked is not None:
        raise UsageError(f"{given} is a file, whose ending tells its format; leave --format out")
    if path.suffix.lower() == ".m3u8":
        return _playlist(path)
    return _numbered(path) if _NUMBER.search(path.name) else _file(path)


def _file(path: Path) -> DestinationAddress:
    form = container_format(path)
    return DestinationAddress(str(path), str(path), form, form, path=path)


def _stream(text: str, url: str, form: str) -> DestinationAddress:
    options = {**_AT_ONCE, **(_FRAGMENTS if form in ("mp4", "mov") else {})}
    return DestinationAddress(text, url, form, form, options)


def _playlist(path: Path) -> DestinationAddress:
    # files under temporary names until they are whole, in the playlist only then
    options = {"hls_time": str(SEGMENT_S), "hls_list_size": "0", "hls_flags": "temp_file"}
    return DestinationAddress(
        str(path),
        str(path.absolute()),
        "hls",
        "mpegts",
        options,
        written=(path, path.with_name(f"{escape(path.stem)}*.ts")),
    )


def _numbered(path: Path) -> DestinationAddress:
    inner = container_format(path)
    listed = path.with_name(_NUMBER.sub("", path.stem).rstrip("_- .") + ".csv")
    options = {
        "segment_format": inner,
        "segment_time": str(SEGMENT_S),
        "segment_list": str(listed.absolute()),
        "segment_list_type": "csv",
        "segment_list_flags": "live",
    }
    parts = [escape(part) for part in _NUMBER.split(path.name)]
    return DestinationAddress(
        str(path),
        str(path.absolute()),
        "segment",
        inner,
        options,
        written=(path.with_name("[0-9]*".join(parts)), listed),
    )


def _check_format(name: str) -> None:
    try:
        av.ContainerFormat(name, "w")
    except ValueError as error:
        raise UsageError(
            f"FFmpeg has no output format {name!r}; use one like matroska, mpegts, mp4 or nut:  --format mpegts"
        ) from error
