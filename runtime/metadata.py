"""Titles, languages and dates: the tags that stay true after enhancement."""

from av.container import InputContainer
from av.stream import Stream

# written anew by the muxer, or about the old file's bytes
_CONTAINER_STALE = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
_STREAM_STALE = {"encoder", "duration"}
_STATISTICS = ("bps", "number_of_frames", "number_of_bytes", "_statistics_")


def container_metadata(container: InputContainer) -> dict[str, str]:
    """Give the tags of a file that hold for its enhanced copy too."""
    return {name: value for name, value in container.metadata.items() if name.lower() not in _CONTAINER_STALE}


def stream_metadata(stream: Stream) -> dict[str, str]:
    """Give the tags of a stream that hold for its copy too; Matroska's statistics do not."""
    return {
        name: value
        for name, value in stream.metadata.items()
        if name.lower() not in _STREAM_STALE and not name.lower().startswith(_STATISTICS)
    }
