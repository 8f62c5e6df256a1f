"""PicOrderCntVal: the order that pictures are shown in, of which a slice's header holds the low bits (8.3.1)."""

from runtime.hevc.nal_units import NalUnit


class PictureOrder:
    """Counts along a stream, in the order of decoding."""

    def __init__(self) -> None:
        self._anchor = 0
        self._starts_anew = True

    def end_sequence(self) -> None:
        """Note that the next picture starts anew."""
        self._starts_anew = True

    def count(self, unit: NalUnit, low: int, n_bits: int) -> int:
        """Return the next picture's count.

        Args:
            unit: the picture's first slice segment.
            low: the low bits that its header holds; 0 for an IDR picture.
            n_bits: how many those are.
        """
        begins = unit.starts_anew or (unit.is_irap and self._starts_anew)
        count = low if begins else self._nearest(low, 1 << n_bits)
        if begins or unit.is_order_anchor:
            self._anchor = count
        self._starts_anew = False
        return count

    def _nearest(self, low: int, cycle: int) -> int:
        """Return the count with these low bits that is nearest to the last anchor's; half a cycle away counts up."""
        distance = (low - self._anchor) % cycle
        return self._anchor + (distance if distance <= cycle // 2 else distance - cycle)
