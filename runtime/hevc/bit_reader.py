"""The bits of a NAL unit's payload, most significant first, as H.265 codes them (7.2, 9.2)."""

from cvqe.errors import InputError

MAX_LEADING_ZEROS = 32  # of an Exp-Golomb code: every value of 32 bits
_LONGEST_CODE_BYTES = 9  # 65 bits, wherever in a byte they start


class BitstreamError(InputError):
    """A bitstream that is damaged, cut off, or uses what is not read here."""


class BitReader:
    """Read one syntax element after the other; what reaches past the end raises.

    Attributes:
        position: of the next bit.
    """

    __slots__ = ("_data", "_n_bits", "position")

    def __init__(self, data: bytes) -> None:
        """Start at the first bit of a payload without emulation prevention bytes."""
        self._data = data
        self._n_bits = 8 * len(data)
        self.position = 0

    def bits(self, count: int) -> int:
        """Read u(count), an unsigned number of so many bits; 0 bits are 0.

        Raises:
            BitstreamError: fewer bits are left.
        """
        start = self.position
        end = start + count
        if end > self._n_bits:
            raise BitstreamError(f"{count} bits are wanted and {self._n_bits - start} left")
        self.position = end
        word = int.from_bytes(self._data[start >> 3 : (end + 7) >> 3], "big")
        return (word >> (-end & 7)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """Read u(1)."""
        position = self.position
        if position >= self._n_bits:
            raise BitstreamError("a bit is wanted and none left")
        self.position = position + 1
        return bool((self._data[position >> 3] >> (~position & 7)) & 1)

    def skip(self, count: int) -> None:
        """Pass over so many bits.

        Raises:
            BitstreamError: fewer are left.
        """
        if self.position + count > self._n_bits:
            raise BitstreamError(f"{count} bits are to be skipped and {self._n_bits - self.position} left")
        self.position += count

    def unsigned(self) -> int:
        """Read ue(v), an Exp-Golomb code: as many zeros as bits follow the next one.

        Raises:
            BitstreamError: it does not end, or has more than 32 zeros.
        """
        start = self.position
        if start < self._n_bits and (self._data[start >> 3] << (start & 7)) & 0x80:  # most codes: no zeros, no bits
            self.position = start + 1
            return 0
        chunk = self._data[start >> 3 : (start >> 3) + _LONGEST_CODE_BYTES]
        n_left = 8 * len(chunk) - (start & 7)
        word = int.from_bytes(chunk, "big") & ((1 << n_left) - 1) if n_left > 0 else 0
        n_zeros = n_left - word.bit_length()
        length = 2 * n_zeros + 1
        if n_zeros > MAX_LEADING_ZEROS or length > n_left:
            raise BitstreamError("an Exp-Golomb code does not end")
        self.position = start + length
        return (word >> (n_left - length)) - 1

    def signed(self) -> int:
        """Read se(v): ue(v) 0, 1, 2, 3, 4 stand for 0, 1, -1, 2, -2.

        Raises:
            BitstreamError: as unsigned().
        """
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def required(is_met: bool, what: str, *values: int) -> None:
    """Refuse values that the standard forbids: later reading would follow them anywhere.

    Raises:
        BitstreamError: not so.
    """
    if not is_met:
        raise BitstreamError(f"{what} {' '.join(map(str, values))} is out of range")
