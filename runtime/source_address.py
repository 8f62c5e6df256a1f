"""What the text of a source means: a file, a pipe, a network address or a capture device.

in.mp4                     file       whatever else it looks like: "12:30 100%d.mp4"
-, /dev/stdin, a FIFO      pipe       comes once, ends when its writer does
udp://, rtsp://, http://   network    may stop and come back
/dev/video0                device     needs the name of what reads it
"""

import os
import re
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runtime.secrets_hidden import without_secrets

STANDARD_INPUT, STANDARD_INPUT_URL = "-", "pipe:0"
# one letter would be a drive
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


class Kind(Enum):
    """What a source is, as far as reading it goes."""

    FILE = "file"
    PIPE = "pipe"
    NETWORK = "network"
    DEVICE = "device"


@dataclass(frozen=True)
class SourceAddress:
    """Where a video comes from.

    Attributes:
        url: what FFmpeg opens.
        text: for messages, in full, without a user's name and password.
        path: of a file; None for all others, which must not be opened twice.
    """

    kind: Kind
    url: str
    text: str
    path: Path | None = None

    @property
    def is_live(self) -> bool:
        """Whether it comes as it is sent: nothing of it can be read again."""
        return self.kind is not Kind.FILE

    @property
    def name(self) -> str:
        """For messages, a file without its folder."""
        return self.path.name if self.path else self.text


def source_address(given: Path | str, input_format: str | None = None) -> SourceAddress:
    """Tell what a path or a text means; a path is never taken for an address, nor a file that exists for a device.

    Args:
        given: as the user typed it; `-` and addresses only as text.
        input_format: FFmpeg's name of what reads a device, where the user gave one.
    """
    if given == STANDARD_INPUT:
        return SourceAddress(Kind.PIPE, STANDARD_INPUT_URL, "standard input")
    if isinstance(given, str) and _SCHEME.match(given):
        return _by_scheme(given)
    return _by_file_type(Path(given), input_format)


def _by_scheme(given: str) -> SourceAddress:
    parts = urlsplit(given)
    if parts.scheme.lower() == "file":
        return _by_file_type(Path(unquote(parts.path)), None)
    return SourceAddress(Kind.NETWORK, given, without_secrets(given))


def _by_file_type(path: Path, input_format: str | None) -> SourceAddress:
    mode = path.stat().st_mode if os.path.exists(path) else 0  # noqa: PTH110  # Path.exists raises for a long name
    if stat.S_ISFIFO(mode):
        return SourceAddress(Kind.PIPE, str(path.absolute()), str(path))
    if stat.S_ISCHR(mode) or (input_format is not None and not mode):
        return SourceAddress(Kind.DEVICE, str(path), str(path))
    return SourceAddress(Kind.FILE, str(path.absolute()), str(path), path)
