"""What a decoder attaches to a picture besides its planes, by FFmpeg's names."""

from collections.abc import Mapping
from typing import cast

import av


def side_data(picture: av.VideoFrame, name: str) -> bytes | None:
    """Copy one kind of side data ("DISPLAYMATRIX", "CONTENT_LIGHT_LEVEL"), or None where there is none."""
    try:
        found = cast(Mapping[str, memoryview], picture.side_data).get(name)
    except ValueError:  # PyAV doesn't know every kind and gives up on all when it meets a new one
        return None
    return None if found is None else bytes(found)
