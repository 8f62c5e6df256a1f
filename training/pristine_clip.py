"""Reading a pristine clip: only what decodes in whole, in one size and a format that is coded as it is."""

from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

import av

from cvqe.errors import InputError
from runtime.decoder import Source, open_source
from training.coding import Coding
from training.steady_frames import steady_frames

# 8-bit 4:2:0, its full-range twin, and gray: what the encoders code without converting
FORMATS = ("yuv420p", "yuvj420p", "gray")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def pictures_of(path: Path, coding: Coding | None = None) -> Iterator[av.VideoFrame]:
    """Yield a clip's pictures, and refuse it as soon as something is wrong.

    Args:
        path: of the clip.
        coding: how it will be coded; None when its size doesn't matter.

    Raises:
        InputError: not a video, damaged or cut off; another format than FORMATS; a size that changes, or that the
            encoder doesn't take.
    """
    with open_source(path, threads=1) as source:
        _check_format(source)
        if coding is not None:
            _check_size(source, coding)
        yield from (frame.picture for frame in steady_frames(source))
        if source.n_damaged:
            raise InputError(f"{path}: {source.n_damaged} of its frames are damaged; copy it again.")
        if source.truncated_note:
            raise InputError(f"{path}: {source.truncated_note}; copy it again.")


def _check_format(source: Source) -> None:
    found = source.info.decoded_format
    if found not in FORMATS:
        converted = source.path.with_name(f"{source.path.stem}_8bit.mkv")
        raise InputError(
            f"{source.path} is {found}; 8-bit 4:2:0 or gray ({', '.join(FORMATS)}) was expected. "
            f"Convert it:  ffmpeg -i '{source.path}' -pix_fmt yuv420p -c:v ffv1 '{converted}'"
        )


def _check_size(source: Source, coding: Coding) -> None:
    info, least = source.info, coding.min_side_px
    size = f"{source.path} is {info.width}x{info.height}"
    if info.decoded_format != "gray" and (info.width % 2 or info.height % 2):
        raise InputError(f"{size}; 4:2:0 needs an even width and height: crop it.")
    if min(info.width, info.height) < least:
        raise InputError(f"{size}; {coding.encoder} takes {least}x{least} and larger: leave the clip out.")
