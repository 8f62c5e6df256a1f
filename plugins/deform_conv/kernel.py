"""Modulated deformable convolution in Triton.

    offset, mask  --\\                              one thread, one output pixel:
                     samples [pixels, C*K / group] --> dot with weight [C*K / group, C_out / group] --> + bias --> y
    x (gathered)  --/

The taps are unrolled: what depends on the tap alone is known when compiling, and columns that only fill up the depth of
a dot are zeros that nobody samples. Every function here also runs in Triton's interpreter; so nothing is taken from
`triton.language` that is itself written in Triton, and there is no inline assembly.
"""

# mypy: ignore-errors
# ruff: noqa: RUF005
# Triton types its functions itself, and does not know a starred tuple

import triton
import triton.language as tl

# adding 1.5 * 2**23 to a float32 leaves it rounded to an integer, in the lower bits of its representation
SHIFT = tl.constexpr(12582912.0)
SHIFT_BITS = tl.constexpr(0x4B400000)
LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def split(displacement):
    """Return whole and broken part; of NaN and what no frame is large enough for, a whole part far outside."""
    # floor and its conversion to an integer run at a fraction of the rate of additions; where this rounds an integer
    # down to the one below, the broken part is 1.0 in place of 0.0, and the sample the same
    shifted = (displacement - 0.5) + SHIFT
    whole = shifted.to(tl.int32, bitcast=True) - SHIFT_BITS
    broken = displacement - (shifted - SHIFT)
    return whole, tl.where(broken <= 1.0, broken, 1.0)  # NaN times an outside 0 would be NaN


@triton.jit
def is_inside(place, side):
    """Tell where 0 <= place < side."""
    return place.to(tl.uint32, bitcast=True) < side.to(tl.uint32, bitcast=True)


@triton.jit
def bilinear(x_ptr, plane, y, x, below, right, height, width):
    """Read a plane between its pixels (y, x) and (y + 1, x + 1); corners outside of it read 0."""
    in_left, in_right = is_inside(x, width), is_inside(x + 1, width)
    in_top, in_bottom = is_inside(y, height), is_inside(y + 1, height)
    place = plane + (y * width + x)
    top_ptr = x_ptr + place
    bottom_ptr = x_ptr + width + place
    top_left = tl.load(top_ptr, in_top & in_left, 0.0).to(tl.float32)
    top_right = tl.load(top_ptr + 1, in_top & in_right, 0.0).to(tl.float32)
    bottom_left = tl.load(bottom_ptr, in_bottom & in_left, 0.0).to(tl.float32)
    bottom_right = tl.load(bottom_ptr + 1, in_bottom & in_right, 0.0).to(tl.float32)
    top = top_left + right * (top_right - top_left)
    bottom = bottom_left + right * (bottom_right - bottom_left)
    return top + below * (bottom - top)


@triton.jit
def sigmoid(logit):
    """Return 1 / (1 + exp(-logit))."""
    # a division takes some eight instructions, the square of a reciprocal root two
    root = tl.rsqrt(1.0 + tl.exp2(logit * -LOG2_E))
    return root * root


@triton.jit
def sample(
    x_ptr, plane, offset_ptr, mask_ptr, place, row, column, height, width, out_plane, wanted, MASK: tl.constexpr
):  # fmt: skip
    """Return one tap of one channel at each pixel, times its mask, in float32; `place` is its plane in the mask."""
    dy = tl.load(offset_ptr + out_plane * (2 * place), wanted).to(tl.float32)
    dx = tl.load(offset_ptr + out_plane * (2 * place + 1), wanted).to(tl.float32)
    whole_y, below = split(dy)
    whole_x, right = split(dx)
    value = bilinear(x_ptr, plane, whole_y + row, whole_x + column, below, right, height, width)
    if MASK != "none":
        mask = tl.load(mask_ptr + out_plane * place, wanted).to(tl.float32)
        value *= sigmoid(mask) if MASK == "logits" else mask
    return value


@triton.jit
def side_by_side(vectors, LOG2_N: tl.constexpr):
    """Return a tuple of 2**LOG2_N vectors [P] as one tile [P, 2**LOG2_N]; each thread keeps what it has."""
    length: tl.constexpr = vectors[0].shape[0]
    for level in tl.static_range(LOG2_N):
        joined = ()
        for i in tl.static_range(2 ** (LOG2_N - 1 - level)):
            joined = joined + (tl.join(vectors[i], vectors[i + 2 ** (LOG2_N - 1 - level)]),)
        vectors = joined
    return vectors[0].reshape(length, 2**LOG2_N)


@triton.jit
def deform_conv(
    x_ptr, weight_ptr, offset_ptr, bias_ptr, mask_ptr, y_ptr, height, width, out_width, out_plane,
    CHANNELS: tl.constexpr, C_OUT: tl.constexpr, KERNEL_W: tl.constexpr, N_TAPS: tl.constexpr,
    STRIDE_Y: tl.constexpr, STRIDE_X: tl.constexpr, DILATION_Y: tl.constexpr, DILATION_X: tl.constexpr,
    TOP: tl.constexpr, LEFT: tl.constexpr, GROUP: tl.constexpr, OFFSET_GROUP: tl.constexpr,
    MASK: tl.constexpr, PACKED: tl.constexpr, WIDE: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_CO: tl.constexpr, STEP: tl.constexpr, LOG2_DEPTH: tl.constexpr, ROUND: tl.constexpr,
):  # fmt: skip
    """Compute BLOCK_P pixels of BLOCK_CO output channels of one group, STEP (channel, tap) pairs at a time.

    Grid: (tiles of pixels, groups * tiles of output channels, N). STEP is at most 2**LOG2_DEPTH; where it is a multiple
    of N_TAPS, a tap's place in the kernel is a constant. ROUND: the dot takes samples in the type of x, for tensor
    cores, and else in float32.
    WIDE: x of one image may hold 2**31 elements or more.
    """
    IN_GROUP: tl.constexpr = CHANNELS // GROUP
    OUT_GROUP: tl.constexpr = C_OUT // GROUP
    N_TILES: tl.constexpr = (OUT_GROUP + BLOCK_CO - 1) // BLOCK_CO
    SUM: tl.constexpr = IN_GROUP * N_TAPS
    N_PLACES: tl.constexpr = OFFSET_GROUP * N_TAPS
    SHARED: tl.constexpr = CHANNELS // OFFSET_GROUP
    dtype: tl.constexpr = x_ptr.dtype.element_ty
    dot_dtype: tl.constexpr = dtype if ROUND else tl.float32

    pixel = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    wanted = pixel < out_plane
    # threads past the last pixel compute it again: loads of offset and mask then need no predicate
    read_pixel = tl.where(wanted, pixel, out_plane - 1)
    row = read_pixel // out_width
    column = (read_pixel - row * out_width) * STRIDE_X - LEFT
    row = row * STRIDE_Y - TOP
    group = tl.program_id(1) // N_TILES
    c_out = tl.program_id(1) % N_TILES * BLOCK_CO + tl.arange(0, BLOCK_CO)
    n = tl.program_id(2).to(tl.int64)
    plane, out_plane = height * width, out_plane.to(tl.int64)
    if WIDE:
        plane = plane.to(tl.int64)
    x_ptr += n * CHANNELS * plane
    offset_ptr += n * ((3 if PACKED else 2) * N_PLACES) * out_plane + read_pixel
    if PACKED:
        mask_ptr = offset_ptr + 2 * N_PLACES * out_plane
    elif MASK != "none":
        mask_ptr += n * N_PLACES * out_plane + read_pixel

    sums = tl.full([BLOCK_P, BLOCK_CO], 0.0, tl.float32)
    for start in tl.range(0, SUM, STEP):
        # what a pass begins with is added to the pointers once, so that its taps are constants apart
        first = group * SUM + start if SHARED == 1 else 0
        first_offset_ptr = offset_ptr + out_plane * (2 * first)
        first_mask_ptr = None if MASK == "none" else mask_ptr + out_plane * first
        samples = ()
        for i in tl.static_range(2**LOG2_DEPTH):
            if i < STEP:
                term = start + i
                if SUM % STEP:
                    term = tl.where(term < SUM, term, SUM - 1)
                if STEP % N_TAPS or SUM % STEP:
                    in_channel, tap = term // N_TAPS, term % N_TAPS
                else:
                    in_channel, tap = start // N_TAPS + i // N_TAPS, i % N_TAPS
                channel = group * IN_GROUP + in_channel
                place = term - start if SHARED == 1 else channel // SHARED * N_TAPS + tap
                y, x = row + tap // KERNEL_W * DILATION_Y, column + tap % KERNEL_W * DILATION_X
                value = sample(
                    x_ptr, plane * channel, first_offset_ptr, first_mask_ptr, place, y, x,
                    height, width, out_plane, None, MASK,
                )  # fmt: skip
                if SUM % STEP:
                    value = tl.where(start + i < SUM, value, 0.0)
                samples = samples + (value,)
            else:
                samples = samples + (tl.full([BLOCK_P], 0.0, tl.float32),)
        tile = side_by_side(samples, LOG2_DEPTH).to(dot_dtype)
        i = tl.arange(0, 2**LOG2_DEPTH)
        weight = tl.load(
            weight_ptr + (group * OUT_GROUP + c_out[None, :]) * SUM + start + i[:, None],
            ((i < STEP) & (start + i < SUM))[:, None] & (c_out < OUT_GROUP)[None, :],
            0.0,
        ).to(dot_dtype)
        sums = tl.dot(tile, weight, sums, input_precision="ieee")
    bias = tl.load(bias_ptr + group * OUT_GROUP + c_out, c_out < OUT_GROUP, 0.0).to(tl.float32)
    y_place = (n * C_OUT + group * OUT_GROUP + c_out[None, :]) * out_plane + pixel[:, None]
    y_wanted = wanted[:, None] & (c_out < OUT_GROUP)[None, :]
    tl.store(y_ptr + y_place, (sums + bias[None, :]).to(dtype), y_wanted)


@triton.jit
def deform_planes(
    x_ptr, weight_ptr, offset_ptr, bias_ptr, mask_ptr, y_ptr, height, width, out_width, out_plane,
    CHANNELS: tl.constexpr, C_OUT: tl.constexpr, KERNEL_W: tl.constexpr, N_TAPS: tl.constexpr,
    STRIDE_Y: tl.constexpr, STRIDE_X: tl.constexpr, DILATION_Y: tl.constexpr, DILATION_X: tl.constexpr,
    TOP: tl.constexpr, LEFT: tl.constexpr, GROUP: tl.constexpr, OFFSET_GROUP: tl.constexpr,
    MASK: tl.constexpr, PACKED: tl.constexpr, WIDE: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    """Compute BLOCK_P pixels of every output channel of one group without tensor cores: few channels, few taps.

    Grid: (tiles of pixels, groups, N). A warp, whose weights are the identity, costs two useless products a pixel.
    """
    IN_GROUP: tl.constexpr = CHANNELS // GROUP
    OUT_GROUP: tl.constexpr = C_OUT // GROUP
    N_PLACES: tl.constexpr = OFFSET_GROUP * N_TAPS
    SHARED: tl.constexpr = CHANNELS // OFFSET_GROUP

    pixel = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    wanted = pixel < out_plane
    row = pixel // out_width
    column = (pixel - row * out_width) * STRIDE_X - LEFT
    row = row * STRIDE_Y - TOP
    group = tl.program_id(1)
    n = tl.program_id(2).to(tl.int64)
    plane, out_plane = height * width, out_plane.to(tl.int64)
    if WIDE:
        plane = plane.to(tl.int64)
    x_ptr += n * CHANNELS * plane
    offset_ptr += n * ((3 if PACKED else 2) * N_PLACES) * out_plane + pixel
    y_ptr += (n * C_OUT + group * OUT_GROUP) * out_plane + pixel
    if PACKED:
        mask_ptr = offset_ptr + 2 * N_PLACES * out_plane
    elif MASK != "none":
        mask_ptr += n * N_PLACES * out_plane + pixel

    samples = ()
    for i in tl.static_range(IN_GROUP * N_TAPS):
        channel = group * IN_GROUP + i // N_TAPS
        y, x = row + i % N_TAPS // KERNEL_W * DILATION_Y, column + i % N_TAPS % KERNEL_W * DILATION_X
        value = sample(
            x_ptr, plane * channel, offset_ptr, mask_ptr, channel // SHARED * N_TAPS + i % N_TAPS, y, x,
            height, width, out_plane, wanted, MASK,
        )  # fmt: skip
        samples = samples + (value,)
    for i in tl.static_range(OUT_GROUP):
        c_out = group * OUT_GROUP + i
        total = tl.full([BLOCK_P], 0.0, tl.float32) + tl.load(bias_ptr + c_out).to(tl.float32)
        for j in tl.static_range(IN_GROUP * N_TAPS):
            total += samples[j] * tl.load(weight_ptr + c_out * (IN_GROUP * N_TAPS) + j).to(tl.float32)
        tl.store(y_ptr + i * out_plane, total.to(y_ptr.dtype.element_ty), wanted)
