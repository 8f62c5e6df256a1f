"""What a decoder attaches to a picture besides its planes, by FFmpeg's names."""

from collections.abc import Mapping
from typing import cast

import av
from av.sidedata.sidedata import SideData, SideDataContainer


def attached(picture: av.VideoFrame) -> Mapping[str, SideData]:
    """Return all side data of a picture, which lives as long as what is taken from here.

    Not from picture.side_data: the picture would keep that and that the picture, with all its samples, until the
    garbage collector comes by, which may be thousands of frames later.
    """
    try:
        found = SideDataContainer(picture)  # type: ignore[call-arg]  # the stubs don't say that it takes one
    except ValueError:  # PyAV doesn't know every kind and gives up on all when it meets a new one
        return {}
    return cast(Mapping[str, SideData], found)


def side_data(picture: av.VideoFrame, name: str) -> bytes | None:
    """Copy one kind of side data ("DISPLAYMATRIX", "CONTENT_LIGHT_LEVEL"), or None where there is none."""
    found = attached(picture).get(name)
    return None if found is None else bytes(cast(memoryview, found))
