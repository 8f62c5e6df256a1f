"""Scaling lists in a parameter set, which are passed over: they weigh coefficients (7.3.4)."""

from runtime.hevc.bit_reader import BitReader

_N_SIZES, _N_MATRICES = 4, 6
_SIZE_32, _STEP_32 = 3, 3  # of 32x32 only every third matrix is sent
_MOST_COEFFICIENTS = 64


def skip_scaling_list(bits: BitReader) -> None:
    """Pass over scaling_list_data().

    Raises:
        BitstreamError: it is cut off.
    """
    for size in range(_N_SIZES):
        for _ in range(0, _N_MATRICES, _STEP_32 if size == _SIZE_32 else 1):
            _skip_matrix(bits, size)


def _skip_matrix(bits: BitReader, size: int) -> None:
    if not bits.flag():  # copied from another one
        bits.unsigned()
        return
    n_values = min(_MOST_COEFFICIENTS, 1 << (4 + 2 * size)) + (size > 1)  # a DC coefficient before large ones
    for _ in range(n_values):
        bits.signed()
