"""A clip whose frames bring their partitions: HEVC, with the parser that reads it."""

from importlib.util import find_spec
from pathlib import Path

from cvqe.errors import CvqeError, InputError
from runtime.decoder import Source, open_source
from runtime.packages import pip

PARSER_NEEDS = "numba"


def open_clip(path: Path, threads: int = 0, limit: int | None = None) -> Source:
    """Open an HEVC video in any container, or raw.

    Args:
        path, threads, limit: as open_source's.

    Raises:
        InputError: the file can't be read as a video, or another standard coded it.
        CvqeError: Numba is missing.
    """
    source = open_source(path, threads, limit, with_partitions=_has_parser())
    try:
        if source.info.codec != "hevc":
            raise InputError(
                f"{path} is coded as {source.info.codec}: transform units are read from HEVC alone. "
                "Give an HEVC (H.265) video, in any container or raw"
            )
        check_parser()
        if source.partition_obstacle:
            raise CvqeError(f"{path}: transform units can't be read ({source.partition_obstacle})")
    except BaseException:
        source.close()
        raise
    return source


def check_parser() -> None:
    """Refuse to go on without what HEVC's slice data are read by.

    Raises:
        CvqeError: Numba is missing.
    """
    if not _has_parser():
        raise CvqeError(
            f"{PARSER_NEEDS} is not installed, which HEVC's transform units are read by.\n"
            f"Install it:  {pip('install', PARSER_NEEDS)}"
        )


def _has_parser() -> bool:
    return find_spec(PARSER_NEEDS) is not None
