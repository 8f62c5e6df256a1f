"""Clips as arrays: every frame's luma plane in memory."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from training.coder import decode_pictures

Luma = NDArray[np.uint8]


def luma_from_pictures(pictures: Iterable[av.VideoFrame]) -> Luma:
    """Stack the luma planes of 8-bit pictures of one size, [T, H, W] uint8."""
    planes = []
    for picture in pictures:
        plane = picture.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        planes.append(rows[:, : picture.width].copy())
    return np.stack(planes)


def load_luma(path: Path) -> Luma:
    """Read a whole clip's luma, [T, H, W] uint8.

    Raises:
        InputError: the file holds no 8-bit frame.
    """
    pictures = list(decode_pictures(path))
    if not pictures:
        raise InputError(f"{path} decodes to no frame; remove it from the clips or make it again.")
    if pictures[0].format.components[0].bits != 8:
        raise InputError(f"{path} is {pictures[0].format.name}; training reads 8-bit clips.")
    return luma_from_pictures(pictures)
