"""Streams whose headers switch on tools that no encoder at hand uses, and whose slices hold noise.

Any bytes are slice data: arithmetic decoding makes blocks of them, with every tool that the headers allow, until by
chance the slice's end is read or a value is too large. Two decoders must agree up to there.
"""

from dataclasses import dataclass
from random import Random

from tests.runtime.hevc.bit_writer import BitWriter, annex_b, unit
from tests.runtime.hevc.streams import HevcStream

VPS, SPS, PPS, IDR, TRAILING = 32, 33, 34, 19, 1
B, P, I = range(3)  # noqa: E741
FORMAT_RANGE_PROFILE = 4
_ORDER_COUNT_BITS = 8


@dataclass
class NoiseStream:
    """One stream's choices, drawn at random; `stream` writes it."""

    random: Random

    def __post_init__(self) -> None:
        chance, pick = self._chance, self.random.choice
        self.chroma_format = pick([0, 1, 2, 3, 3])
        self.depth = pick([8, 8, 10, 12])
        self.log2_min_coding, self.log2_coding_tree = pick([(3, 4), (3, 5), (3, 6), (4, 6), (3, 6)])
        self.log2_max_transform = pick([size for size in (3, 4, 5) if size <= self.log2_coding_tree])
        self.max_depths = self.random.randrange(3), self.random.randrange(3)
        self.size = tuple(pick([64, 80, 128, 144]) for _ in range(2))
        self.has_pcm, self.has_amp, self.has_sao = chance(), chance(), chance()
        self.has_temporal_motion = chance()
        # rotation, contexts, implicit and explicit RDPCM, extended precision, no smoothing, offsets of high
        # precision, persistent Rice, aligned bypass: libde265 reads all but the precision and the alignment
        flags = [chance() for _ in range(9)]
        self.range_tools = [flag and number not in (4, 8) for number, flag in enumerate(flags)]
        self.has_sign_hiding, self.has_cabac_choice = chance(), chance()
        self.has_transform_skip, self.has_bypass = chance(), self.random.random() < 0.3
        self.qp_depth = pick([None, 0, 1])
        self.has_cross_component = self.chroma_format == 3 and chance()
        # libde265 reads one bit of an index, which is right where there are two offsets or one
        self.chroma_qps = self.random.randrange(1, 3) if self.chroma_format and chance() else 0
        self.largest_skip = self.random.randrange(2, self.log2_max_transform + 1)

    def _chance(self) -> bool:
        return self.random.random() < 0.5

    def stream(self, n_pictures: int, slice_bytes: int) -> HevcStream:
        """Return an intra picture and those that refer to the one before, each one slice of noise."""
        sets = [unit(VPS, self._vps()), unit(SPS, self._sps()), unit(PPS, self._pps())]
        slices = [self._slice(number, slice_bytes) for number in range(n_pictures)]
        return HevcStream((annex_b(*sets, slices[0]), *map(annex_b, slices[1:])))

    def _profile(self, w: BitWriter) -> BitWriter:
        compatible = 1 << (31 - FORMAT_RANGE_PROFILE)
        return w.u(0, 3).u(FORMAT_RANGE_PROFILE, 5).u(compatible, 32).u(0, 48).u(93, 8)

    def _vps(self) -> bytes:
        w = self._profile(BitWriter().u(0, 4).u(3, 2).u(0, 6).u(0, 3).u(1, 1).u(0xFFFF, 16))
        return w.flags(True).ue(4, 0, 0).u(0, 6).ue(0).flags(False, False).payload()

    def _sps(self) -> bytes:
        w = self._profile(BitWriter().u(0, 4).u(0, 3).u(1, 1)).ue(0, self.chroma_format)
        w.flags(*[False] * (self.chroma_format == 3)).ue(*self.size).flags(False)
        w.ue(self.depth - 8, self.depth - 8, _ORDER_COUNT_BITS - 4).flags(True).ue(4, 0, 0)
        w.ue(self.log2_min_coding - 3, self.log2_coding_tree - self.log2_min_coding, 0, self.log2_max_transform - 2)
        w.ue(*self.max_depths).flags(False, self.has_amp, self.has_sao, self.has_pcm)
        if self.has_pcm:
            largest = min(self.log2_coding_tree, 5)
            w.u(4, 4).u(5, 4).ue(self.log2_min_coding - 3, largest - self.log2_min_coding).flags(False)
        w.ue(1, 1, 0, 0).flags(True)  # one reference picture set: the picture before
        w.flags(False, self.has_temporal_motion, True, False)
        w.flags(True, True).u(0, 7).flags(*self.range_tools)
        return w.payload()

    def _pps(self) -> bytes:
        w = BitWriter().ue(0, 0).flags(False, False).u(0, 3).flags(self.has_sign_hiding, self.has_cabac_choice)
        w.ue(0, 0).se(4).flags(False, self.has_transform_skip, self.qp_depth is not None)
        w.ue(*[] if self.qp_depth is None else [self.qp_depth]).se(-2, 3)
        w.flags(False, False, False, self.has_bypass, False, False)  # no tiles, no WPP
        w.flags(False, False, False, False).ue(0).flags(False)
        w.flags(True, True).u(0, 7)
        w.ue(*[self.largest_skip - 2] * self.has_transform_skip).flags(self.has_cross_component, self.chroma_qps > 0)
        if self.chroma_qps:
            w.ue(1, self.chroma_qps - 1).se(*range(2 * self.chroma_qps))
        return w.ue(0, 0).payload()

    def _slice(self, number: int, n_bytes: int) -> bytes:
        slice_type = self.random.choice([B, P]) if number else I
        w = BitWriter().flags(True, *[False] * (number == 0)).ue(0, slice_type)
        if number:
            w.u(number, _ORDER_COUNT_BITS).flags(True, *[True] * self.has_temporal_motion)
        w.flags(*[True] * (self.has_sao * (1 + (self.chroma_format > 0))))
        if number:
            w.flags(False, *[self._chance()] * (slice_type == B), *[self._chance()] * self.has_cabac_choice)
            w.flags(*[True] * (self.has_temporal_motion and slice_type == B))
            w.ue(self.random.randrange(5))
        w.se(self.random.randrange(-3, 4)).flags(*[True] * (self.chroma_qps > 0))
        return unit(TRAILING if number else IDR, w.payload() + self.random.randbytes(n_bytes))
