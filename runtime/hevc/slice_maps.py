"""The maps of a picture while it is read: one array, a value for each 4x4 luma samples."""

from runtime.hevc.compiled import Bytes, compiled, unsigned, wide

# [N_MAPS, H/4, W/4]; DIRECTION is the intra mode, which predicts those beside it
TRANSFORM, CODING, MODE, QP, DIRECTION, N_MAPS = map(wide, range(6))
QP_SHIFT = 64  # a map holds a quantiser so much higher: above 0 at any depth


@compiled
def fill(maps: Bytes, number: int, column: int, row: int, log2: int, value: int) -> None:
    """Write a value into all cells of a block that lies inside the picture.

    Args:
        maps: uint8 [N_MAPS, H/4, W/4].
        number: which map.
        column, row: the block's first cell.
        log2: of the block's side in samples, at least 2.
        value: 0 to 255.
    """
    side = 1 << (log2 - 2)
    for y in range(row, row + side):
        for x in range(column, column + side):
            maps[unsigned(number), unsigned(y), unsigned(x)] = value
