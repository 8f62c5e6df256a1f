"""What a deformable convolution loses to its number types, emulated in NumPy: TensorRT's built-in one beside ours.

TensorRT's own DeformConv adds place and displacement in half precision, which has 11 bits: from column 1024 on a
coordinate moves in whole pixels, from 512 on in halves. It also reads between pixels in half, and sums in half. Ours
keeps tensors and columns in half, and computes everything between them in float32.

The built-in one's source is not public. Emulated is what is known of it: half coordinates, a column buffer in half, and
sums in half, taken here one product after the other; in which order it adds them is not known.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from plugins.deform_conv.problem import Problem
from plugins.deform_conv.reference import bilinear

Floats = NDArray[np.floating]
STRIP_PIXELS = 1 << 16  # output pixels at a time: what is made of them on the way stays below some hundred MB


@dataclass(frozen=True)
class Arithmetic:
    """The type of each step: tensors in memory, coordinates, what is read there, the columns of it, and their sums."""

    data: DTypeLike
    coordinates: DTypeLike
    samples: DTypeLike
    columns: DTypeLike
    sums: DTypeLike


HALF, SINGLE, DOUBLE = np.float16, np.float32, np.float64
EXACT = Arithmetic(SINGLE, DOUBLE, DOUBLE, DOUBLE, DOUBLE)
HALF_DATA = Arithmetic(HALF, DOUBLE, DOUBLE, DOUBLE, DOUBLE)  # nothing that keeps its tensors in half does better
# the kernel splits a displacement into a whole and a broken part and never adds it to a place: exact, as in double
OURS = Arithmetic(HALF, DOUBLE, SINGLE, HALF, SINGLE)
HALF_SUMS = Arithmetic(HALF, DOUBLE, SINGLE, HALF, HALF)
HALF_COORDINATES = Arithmetic(HALF, HALF, SINGLE, HALF, SINGLE)
BUILT_IN = Arithmetic(HALF, HALF, HALF, HALF, HALF)


def emulated(
    types: Arithmetic,
    problem: Problem,
    x: Floats,
    weight: Floats,
    offset: Floats,
    bias: Floats,
    mask: Floats,
    first_row: int = 0,
) -> Floats:
    """Compute one picture's deformable convolution in these types; every operation rounds as its type does.

    Args:
        types: of each step.
        problem: the attributes; group is 1, and the mask is given as values.
        x: features, [C, H, W].
        weight: [C_out, C, kh, kw].
        offset: (dy, dx) pairs in pixels, [2*G*K, H', W'].
        bias: [C_out].
        mask: [G*K, H', W'].
        first_row: offset and mask begin with this row of the output; fewer rows than H' may be given.

    Returns:
        [C_out, H' or fewer, W'] in the data's type; float64 for EXACT.
    """
    assert problem.group == 1 and problem.mask == "values"
    x, weight, offset, bias, mask = (tensor.astype(types.data) for tensor in (x, weight, offset, bias, mask))
    y = np.empty((problem.c_out, *offset.shape[1:]), DOUBLE if types == EXACT else types.data)
    for rows in _strips(*offset.shape[1:]):
        columns = _columns(types, problem, x, offset[:, rows], mask[:, rows], first_row + rows.start)
        y[:, rows] = _convolved(types, columns, weight, bias)
    return y


def _strips(height: int, width: int) -> Iterator[slice]:
    n_rows = max(STRIP_PIXELS // width, 1)
    return (slice(top, min(top + n_rows, height)) for top in range(0, height, n_rows))


def _columns(types: Arithmetic, problem: Problem, x: Floats, offset: Floats, mask: Floats, first_row: int) -> Floats:
    """Return every tap's sample times its mask, [C*K, rows, W'], a channel's taps side by side."""
    groups, taps, out_size = problem.offset_group, problem.n_taps, offset.shape[1:]
    pictures = x.astype(types.samples).reshape(groups, -1, *x.shape[1:])
    displacement = offset.astype(types.coordinates).reshape(groups, taps, 2, *out_size)
    masks = mask.astype(types.samples).reshape(groups, 1, taps, *out_size)
    tap_y, tap_x = np.indices(problem.kernel).reshape(2, taps, 1, 1)
    row, column = np.indices(out_size)
    # whole numbers up to 2048, which half holds too: what rounds is the sum
    place_y = (row + first_row) * problem.strides[0] - problem.pads[0] + tap_y * problem.dilations[0]
    place_x = column * problem.strides[1] - problem.pads[1] + tap_x * problem.dilations[1]
    place = np.stack((place_y, place_x), 1).astype(types.coordinates)  # [K, 2, rows, W']
    samples = []
    for picture, moved, mask_values in zip(pictures, displacement, masks, strict=True):
        where = place + moved
        samples.append(bilinear(picture, where[:, 0], where[:, 1]).astype(types.samples) * mask_values)
    return np.concatenate(samples).reshape(-1, *out_size).astype(types.columns)


def _convolved(types: Arithmetic, columns: Floats, weight: Floats, bias: Floats) -> Floats:
    """Multiply with the weights and add up, [C_out, rows, W']."""
    flat = weight.reshape(len(weight), -1).astype(types.sums)
    if types.sums != HALF:  # in which order matters to half alone
        summed: Floats = np.tensordot(flat, columns.astype(types.sums), 1) + bias.astype(types.sums)[:, None, None]
        return summed
    total = np.zeros((len(flat), *columns.shape[1:]), HALF)
    for i, column in enumerate(columns):
        total += flat[:, i, None, None] * column
    return total + bias[:, None, None]
