"""A second decoder's view of a stream: the block maps that libde265 draws, by ctypes on the library inside pi-heif.

libde265 draws lines at the top and left of every block, its quantiser as grey and its mode as a colour, on the picture
as it is coded. A library of the tests alone: nothing of the project needs it.
"""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvqe.partition import INTER, INTRA, SKIPPED

# a drawn quantiser is clipped to these, and spread over 0 to 255
LOWEST_DRAWN_QP, HIGHEST_DRAWN_QP = 20, 40
_MODE_OF_BYTE = np.array([INTER, SKIPPED, INTRA], np.uint8)  # inter is drawn in blue, skipped in green, intra in red
_PIXEL_BYTES = 3
_LARGEST_BLOCK_PX = 64
_OK, _WAITING_FOR_INPUT = 0, 13
_FULL_LINE = 255

_pointer, _int, _int64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_SIGNATURES = {
    "de265_get_version": (ctypes.c_char_p, []),
    "de265_new_decoder": (_pointer, []),
    "de265_free_decoder": (_int, [_pointer]),
    "de265_push_NAL": (_int, [_pointer, ctypes.c_char_p, _int, _int64, _pointer]),
    "de265_push_end_of_frame": (None, [_pointer]),
    "de265_flush_data": (_int, [_pointer]),
    "de265_decode": (_int, [_pointer, ctypes.POINTER(_int)]),
    "de265_get_warning": (_int, [_pointer]),
    "de265_get_error_text": (ctypes.c_char_p, [_int]),
    "de265_get_next_picture": (_pointer, [_pointer]),
    "de265_get_image_PTS": (_int64, [_pointer]),
    "de265_get_image_width": (_int, [_pointer, _int]),
    "de265_get_image_height": (_int, [_pointer, _int]),
    "draw_TB_grid": (None, [_pointer, _pointer, _int, ctypes.c_uint32, _int]),
    "draw_CB_grid": (None, [_pointer, _pointer, _int, ctypes.c_uint32, _int]),
    "draw_QuantPY": (None, [_pointer, _pointer, _int, _int]),
    "draw_PB_pred_modes": (None, [_pointer, _pointer, _int, _int]),
}


@dataclass(frozen=True)
class Drawing:
    """One picture as libde265 drew it; every map is [H, W], large enough for the coded picture, and 0 beyond it.

    Attributes:
        transform, coding: True on the first row and the first column of every block.
        qp: quantisers clipped to what is drawn, as drawn_qp() does; uint8.
        mode: INTER, INTRA or SKIPPED; uint8.
        known: False where no block was decoded.
        size: shown width and height.
    """

    transform: NDArray[np.bool_]
    coding: NDArray[np.bool_]
    qp: NDArray[np.uint8]
    mode: NDArray[np.uint8]
    known: NDArray[np.bool_]
    size: tuple[int, int]


def drawn_qp(qp: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return the grey in which quantisers are drawn."""
    steps = np.clip(qp, LOWEST_DRAWN_QP, HIGHEST_DRAWN_QP).astype(np.float32) - LOWEST_DRAWN_QP
    return (255 * (steps / (HIGHEST_DRAWN_QP - LOWEST_DRAWN_QP))).astype(np.uint8)


@cache
def library_path() -> Path | None:
    """Return where the installed pi-heif keeps libde265, or None."""
    try:
        files = metadata.files("pi-heif") or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.name.startswith("libde265")]
    return next((path for path in found if path.exists()), None)


@cache
def _library() -> ctypes.CDLL:
    path = library_path()
    assert path is not None, "pi-heif, which carries libde265, is not installed, or keeps it elsewhere"
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def draw(packets: Sequence[Sequence[bytes]], must_be_content: bool = True) -> dict[int, Drawing]:
    """Decode a stream and draw the pictures that are shown.

    Args:
        packets: NAL units, without start codes or lengths, of each packet.
        must_be_content: raise for what libde265 can go on after, too.

    Returns:
        Drawings by the number of their packet; nothing for packets whose picture is not shown.

    Raises:
        ValueError: libde265 met an error.
    """
    library, drawings = _library(), {}
    decoder = library.de265_new_decoder()
    try:
        for number, units in enumerate(packets):
            for unit in units:
                library.de265_push_NAL(decoder, bytes(unit), len(unit), number, None)
            # each picture is decoded before parameter sets may change
            library.de265_push_end_of_frame(decoder)
            drawings.update(_drawings(library, decoder, must_be_content))
        library.de265_flush_data(decoder)
        drawings.update(_drawings(library, decoder, must_be_content))
    finally:
        library.de265_free_decoder(decoder)
    return drawings


def _drawings(library: ctypes.CDLL, decoder: int, must_be_content: bool) -> Iterator[tuple[int, Drawing]]:
    more = ctypes.c_int(1)
    while more.value:
        error = library.de265_decode(decoder, ctypes.byref(more))
        if error not in (_OK, _WAITING_FOR_INPUT):
            raise ValueError(library.de265_get_error_text(error).decode())
        warning = library.de265_get_warning(decoder)
        if warning and must_be_content:
            raise ValueError(library.de265_get_error_text(warning).decode())
        while picture := library.de265_get_next_picture(decoder):
            yield library.de265_get_image_PTS(picture), _drawing(library, picture)
        if error == _WAITING_FOR_INPUT:
            return


def _drawing(library: ctypes.CDLL, picture: int) -> Drawing:
    size = library.de265_get_image_width(picture, 0), library.de265_get_image_height(picture, 0)
    # what is cropped is drawn, too; no stream here crops more than a block
    width, height = (side + _LARGEST_BLOCK_PX for side in size)
    transform, coding, qp = (np.zeros((height, width), np.uint8) for _ in range(3))
    mode = np.zeros((height, width, _PIXEL_BYTES), np.uint8)
    library.draw_TB_grid(picture, transform.ctypes.data, width, _FULL_LINE, 1)
    library.draw_CB_grid(picture, coding.ctypes.data, width, _FULL_LINE, 1)
    library.draw_QuantPY(picture, qp.ctypes.data, width, 1)
    library.draw_PB_pred_modes(picture, mode.ctypes.data, width * _PIXEL_BYTES, _PIXEL_BYTES)
    return Drawing(transform > 0, coding > 0, qp, _MODE_OF_BYTE[mode.argmax(axis=2)], mode.any(axis=2), size)
