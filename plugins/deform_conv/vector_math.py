"""What the kernels compute with vectors: places, samples of either type, the sigmoid, rounding to bfloat16."""

from typing import Any

from plugins.deform_conv.vectors import HIGH_HALF, I32, Vector

# 2**f for f in [0, 1], to 2e-7; the constant term comes last
EXP2 = (1.8775767e-3, 8.9893397e-3, 5.5826318e-2, 2.4015361e-1, 6.9315308e-1, 9.9999994e-1)
LOG2_E = 1.4426950408889634
EXPONENT_BIAS, MANTISSA_BITS = 127, 23


def displaced(place: Vector, displacement: Vector, length: Vector) -> tuple[Vector, Vector]:
    """Return, along one axis, the pixel before place + displacement, and how far past it that lies, in [0, 1].

    Place and displacement are never summed in floating point, which would round the fraction.
    """
    # one pixel outside is as good as anything further, and a small integer; NaN goes there too
    displacement = displacement.clamp((-1 - place).to_float(), (length - place).to_float())
    whole = displacement.floor()
    return place + whole.to_int(), displacement - whole


def halves_at(start: Any, index: Vector, live: Vector) -> Vector:
    """Return bfloat16 elements of an array that begins at a whole word; lanes that are not live read 0."""
    # no processor gathers 16 bits: take the word they are in, the even one in its low half
    words = index.kernel.gather(I32, start, index >> 1, live)
    return ((words << ((1 - (index & 1)) << 4)) & HIGH_HALF).bits()


def sigmoid(logit: Vector) -> Vector:
    """Return 1 / (1 + exp(-logit)), the power taken as 2**whole * 2**fraction."""
    exponent = (logit * -LOG2_E).clamp(-126.0, 126.0)
    whole = exponent.floor()
    power = logit.kernel.constant(EXP2[0])
    for coefficient in EXP2[1:]:
        power = power.fma(exponent - whole, coefficient)
    return 1.0 / (power * ((whole.to_int() + EXPONENT_BIAS) << MANTISSA_BITS).bits() + 1.0)


def bfloat16_bits(sample: Vector) -> Vector:
    """Return bfloat16 in the high halves, rounded to nearest, ties to even; the low halves are left over."""
    bits = sample.bits()
    return bits + ((bits >> 16) & 1) + 0x7FFF
