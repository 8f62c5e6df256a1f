"""Bits as H.265 writes them, and NAL units made of them, for headers that no encoder at hand produces."""


class BitWriter:
    """Collects syntax elements; the counterpart of runtime/hevc/bit_reader.py, written from the standard's tables."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, value: int, n_bits: int) -> "BitWriter":
        self.text += f"{value:0{n_bits}b}" if n_bits else ""
        return self

    def ue(self, *values: int) -> "BitWriter":
        for value in values:
            binary = f"{value + 1:b}"
            self.text += "0" * (len(binary) - 1) + binary
        return self

    def se(self, *values: int) -> "BitWriter":
        return self.ue(*(2 * value - 1 if value > 0 else -2 * value for value in values))

    def flags(self, *flags: bool) -> "BitWriter":
        self.text += "".join("1" if flag else "0" for flag in flags)
        return self

    def payload(self) -> bytes:
        """Return the bytes, ended by a stop bit and zeros."""
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")


def escaped(payload: bytes) -> bytes:
    """Put a 03 behind two zeros wherever the next byte is 3 or less."""
    out, n_zeros = bytearray(), 0
    for byte in payload:
        if n_zeros >= 2 and byte <= 3:
            out.append(3)
            n_zeros = 0
        out.append(byte)
        n_zeros = n_zeros + 1 if byte == 0 else 0
    return bytes(out)


def unit(unit_type: int, payload: bytes, layer: int = 0) -> bytes:
    """Return a NAL unit of temporal layer 0 without a start code."""
    return bytes([unit_type << 1 | layer >> 5, (layer & 31) << 3 | 1]) + escaped(payload)


def annex_b(*units: bytes) -> bytes:
    """Join units with start codes, of four bytes and of three in turn."""
    return b"".join((b"\0\0\0\1" if i % 2 == 0 else b"\0\0\1") + data for i, data in enumerate(units))


def with_lengths(*units: bytes, size: int = 4) -> bytes:
    """Join units behind lengths of `size` bytes."""
    return b"".join(len(data).to_bytes(size, "big") + data for data in units)


def hvcc(*units: bytes, size: int = 4) -> bytes:
    """Return an hvcC box's content with one array a unit."""
    arrays = b"".join(bytes([0x80 | data[0] >> 1, 0, 1]) + with_lengths(data, size=2) for data in units)
    return bytes([1, 1]) + bytes(19) + bytes([0xFC | size - 1, len(units)]) + arrays
