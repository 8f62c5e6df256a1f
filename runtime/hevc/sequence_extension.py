"""What ends a sequence parameter set: VUI, which is passed over (E.2.1), and the flags of the range extensions."""

from typing import NamedTuple

from runtime.hevc.bit_reader import BitReader, BitstreamError, required

_EXTENDED_ASPECT_RATIO = 255
_MOST_CPBS, _MAX_PICTURE_RATE_BITS = 32, 16


class SequenceExtension(NamedTuple):
    """Flags of sps_range_extension(), as far as they change how blocks are read.

    Attributes:
        unread: why slice data can't be read; empty where they can.
    """

    has_single_skip_context: bool = False
    has_implicit_rdpcm: bool = False
    has_explicit_rdpcm: bool = False
    has_rice_adaptation: bool = False
    unread: str = ""


def read_sequence_extension(bits: BitReader, max_sub_layers: int) -> SequenceExtension:
    """Read on behind the flag of temporal motion vectors; what is damaged or unknown stands in `unread`."""
    try:
        bits.skip(1)  # smoothing of intra prediction
        if bits.flag():
            _skip_vui(bits, max_sub_layers)
        return _extension(bits) if bits.flag() else SequenceExtension()
    except BitstreamError as error:
        return SequenceExtension(unread=f"the end of the sequence parameter set can't be read: {error}")


def _extension(bits: BitReader) -> SequenceExtension:
    has_range, _has_multilayer, has_3d, has_screen_content = (bits.flag() for _ in range(4))
    bits.skip(4)
    if has_3d or has_screen_content:
        name = "3D" if has_3d else "screen content"
        return SequenceExtension(unread=f"the extension of {name} is not read here")
    if not has_range:
        return SequenceExtension()
    bits.skip(1)  # rotation of blocks whose transform is skipped
    single_context, implicit, explicit, precision = (bits.flag() for _ in range(4))
    bits.skip(2)  # smoothing, and precision of weights
    rice, alignment = bits.flag(), bits.flag()
    if precision or alignment:  # FFmpeg decodes neither, and no stream was found to prove a reading with
        name = "extended precision" if precision else "aligned bypass bins"
        return SequenceExtension(unread=f"{name} is not read here")
    return SequenceExtension(single_context, implicit, explicit, rice)


def _skip_vui(bits: BitReader, max_sub_layers: int) -> None:
    if bits.flag() and bits.bits(8) == _EXTENDED_ASPECT_RATIO:
        bits.skip(32)
    if bits.flag():  # overscan
        bits.skip(1)
    if bits.flag():
        _skip_signal_type(bits)
    if bits.flag():  # place of chroma samples
        _skip_unsigned(bits, 2)
    bits.skip(3)
    if bits.flag():  # default display window
        _skip_unsigned(bits, 4)
    if bits.flag():
        _skip_timing(bits, max_sub_layers)
    if bits.flag():
        bits.skip(3)
        _skip_unsigned(bits, 5)


def _skip_signal_type(bits: BitReader) -> None:
    bits.skip(3 + 1)
    if bits.flag():
        bits.skip(3 * 8)


def _skip_timing(bits: BitReader, max_sub_layers: int) -> None:
    bits.skip(2 * 32)
    if bits.flag():
        bits.unsigned()
    if bits.flag():
        _skip_hrd(bits, max_sub_layers)


def _skip_hrd(bits: BitReader, max_sub_layers: int) -> None:
    """Pass over hrd_parameters() (E.2.2) with its common part."""
    has_nal, has_vcl = bits.flag(), bits.flag()
    has_sub_pictures = False
    if has_nal or has_vcl:
        has_sub_pictures = bits.flag()
        bits.skip(19 * has_sub_pictures + 2 * 4 + 4 * has_sub_pictures + 3 * 5)
    for _ in range(max_sub_layers):
        n_cpbs = _cpbs_of_sub_layer(bits)
        for _ in range(n_cpbs * (has_nal + has_vcl)):
            _skip_unsigned(bits, 4 if has_sub_pictures else 2)
            bits.skip(1)


def _cpbs_of_sub_layer(bits: BitReader) -> int:
    is_fixed = bits.flag() or bits.flag()
    is_low_delay = False
    if is_fixed:
        bits.unsigned()
    else:
        is_low_delay = bits.flag()
    n_cpbs = 1 if is_low_delay else bits.unsigned() + 1
    required(n_cpbs <= _MOST_CPBS, "the number of buffers,", n_cpbs)
    return n_cpbs


def _skip_unsigned(bits: BitReader, count: int) -> None:
    for _ in range(count):
        bits.unsigned()
