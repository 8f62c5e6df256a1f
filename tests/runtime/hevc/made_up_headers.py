"""Parameter sets and slice headers with every choice of the syntax tables 7.3.2.2 to 7.3.7, drawn at random.

A test says which quantiser a header holds; whatever stands before it has to be passed over for that.
"""

from dataclasses import dataclass, field
from random import Random

from tests.runtime.hevc.bit_writer import BitWriter

IDR, CRA, TRAILING = 20, 21, 1
SCALING_SIZES = (16, 64, 64, 64)


@dataclass
class MadeUpStream:
    """One stream's choices; the sets' payloads are written at once, slices by slice_payload()."""

    random: Random
    depth: int = 8
    initial_qp: int = 26
    reference_sets: list[list[tuple[int, bool]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chroma_format = self.random.randrange(4)
        self.has_separate_planes = self.chroma_format == 3 and self.chance()
        self.log2_coding_tree = self.random.choice([4, 5, 6])
        self.size = [8 * self.random.randrange(1, 100) for _ in range(2)]
        self.order_count_bits = self.random.randrange(4, 17)
        self.long_terms = [self.chance() for _ in range(self.random.randrange(4))] if self.chance() else None
        self.has_sao, self.has_temporal_motion = self.chance(), self.chance()
        self.has_dependent, self.has_output_flag = self.chance(), self.chance()
        self.n_extra_bits = self.random.randrange(4)
        self.has_cabac_choice, self.may_reorder = self.chance(), self.chance()
        self.n_references = [self.random.randrange(1, 5) for _ in range(2)]
        self.has_weights, self.has_weights_for_b = self.chance(), self.chance()
        self.pps_id, self.sps_id = self.random.randrange(64), self.random.randrange(16)
        self.sps, self.pps = self._sps().payload(), self._pps().payload()

    def chance(self) -> bool:
        return self.random.random() < 0.5

    def few(self) -> int:
        return self.random.choice([0, 0, 1, 2, 7, 40])

    @property
    def n_coding_trees(self) -> int:
        side = 1 << self.log2_coding_tree
        return ((self.size[0] + side - 1) // side) * ((self.size[1] + side - 1) // side)

    def _sps(self) -> BitWriter:
        n_sub_layers = self.random.randrange(1, 8)
        w = BitWriter().u(self.random.randrange(16), 4).u(n_sub_layers - 1, 3).flags(self.chance())
        self._profile(w, n_sub_layers)
        w.ue(self.sps_id, self.chroma_format)
        if self.chroma_format == 3:
            w.flags(self.has_separate_planes)
        w.ue(*self.size)
        is_cropped = self.chance()
        w.flags(is_cropped).ue(*[self.few() for _ in range(4 * is_cropped)])
        w.ue(self.depth - 8, self.few() % 8, self.order_count_bits - 4)
        has_all_levels = self.chance()
        w.flags(has_all_levels).ue(*[self.few() for _ in range(3 * (n_sub_layers if has_all_levels else 1))])
        w.ue(
            0,
            self.log2_coding_tree - 3,
            0,
            self.random.randrange(self.log2_coding_tree - 2 if self.log2_coding_tree < 6 else 4),
        )
        w.ue(0, self.random.randrange(self.log2_coding_tree - 1))
        has_scaling = self.chance()
        w.flags(has_scaling)
        if has_scaling:
            self._maybe_scaling_list(w)
        w.flags(self.chance(), self.has_sao)
        has_pcm = self.chance()
        w.flags(has_pcm)
        if has_pcm:
            w.u(7, 4).u(7, 4).ue(0, min(2, self.log2_coding_tree - 3)).flags(self.chance())
        n_sets = self.random.choice([0, 1, 2, 3, 9])
        w.ue(n_sets)
        for _ in range(n_sets):
            self.reference_sets.append(self._reference_set(w, is_of_slice=False))
        w.flags(self.long_terms is not None)
        if self.long_terms is not None:
            w.ue(len(self.long_terms))
            for is_used in self.long_terms:
                w.u(self.random.getrandbits(self.order_count_bits), self.order_count_bits).flags(is_used)
        return w.flags(self.has_temporal_motion, self.chance(), False, False)

    def _profile(self, w: BitWriter, n_sub_layers: int) -> None:
        w.u(0, 2).flags(self.chance()).u(self.random.choice([1, 2, 3, 4]), 5).u(self.random.getrandbits(80), 80).u(
            93, 8
        )
        told = [(self.chance(), self.chance()) for _ in range(n_sub_layers - 1)]
        for profile, level in told:
            w.flags(profile, level)
        if told:
            w.u(0, 2 * (8 - len(told)))
        for profile, level in told:
            w.u(self.random.getrandbits(88), 88 * profile).u(self.random.getrandbits(8), 8 * level)

    def _maybe_scaling_list(self, w: BitWriter) -> None:
        is_sent = self.chance()
        w.flags(is_sent)
        if is_sent:
            self._scaling_list(w)

    def _scaling_list(self, w: BitWriter) -> None:
        for size_id, n_values in enumerate(SCALING_SIZES):
            for _ in range(2 if size_id == 3 else 6):
                is_explicit = self.random.random() < 0.2
                w.flags(is_explicit)
                if not is_explicit:
                    w.ue(self.random.randrange(3))
                    continue
                if size_id > 1:
                    w.se(self.random.randrange(-7, 247))
                w.se(*[self.random.randrange(-128, 128) for _ in range(n_values)])

    def _reference_set(self, w: BitWriter, is_of_slice: bool) -> list[tuple[int, bool]]:
        """Write st_ref_pic_set() and return what it stands for: distances and whether they are used, nearest first."""
        index = len(self.reference_sets)
        is_predicted = index > 0 and self.chance()
        if index:
            w.flags(is_predicted)
        if is_predicted:
            return self._predicted_set(w, index, is_of_slice)
        before = [(self.random.randrange(3), self.chance()) for _ in range(self.random.randrange(4))]
        after = [(self.random.randrange(3), self.chance()) for _ in range(self.random.randrange(4))]
        w.ue(len(before), len(after))
        pictures = []
        for steps, sign in ((before, -1), (after, 1)):
            distance = 0
            for step, is_used in steps:
                w.ue(step).flags(is_used)
                distance += sign * (step + 1)
                pictures.append((distance, is_used))
        return pictures

    def _predicted_set(self, w: BitWriter, index: int, is_of_slice: bool) -> list[tuple[int, bool]]:
        delta_idx = self.random.randrange(1, index + 1) if is_of_slice else 1
        if is_of_slice:
            w.ue(delta_idx - 1)
        delta_rps = self.random.choice([-3, -2, -1, 1, 2, 3])
        w.flags(delta_rps < 0).ue(abs(delta_rps) - 1)
        reference = self.reference_sets[index - delta_idx]
        used, use_delta = [], []
        for _ in range(len(reference) + 1):
            used.append(self.chance())
            use_delta.append(used[-1] or self.chance())
            w.flags(used[-1])
            if not used[-1]:
                w.flags(use_delta[-1])
        kept = {
            distance + delta_rps: used[i]
            for i, (distance, _) in reversed(list(enumerate([*reference, (0, False)])))
            if use_delta[i] and distance + delta_rps
        }
        before, after = (sorted(d for d in kept if d * sign > 0) for sign in (-1, 1))
        return [(d, kept[d]) for d in [*reversed(before), *after]]

    def _pps(self) -> BitWriter:
        w = BitWriter().ue(self.pps_id, self.sps_id).flags(self.has_dependent, self.has_output_flag)
        w.u(self.n_extra_bits, 3).flags(self.chance(), self.has_cabac_choice).ue(*[n - 1 for n in self.n_references])
        w.se(self.initial_qp - 26).flags(self.chance(), self.chance())
        has_block_qps = self.chance()
        w.flags(has_block_qps).ue(*[1] * has_block_qps).se(-3, 5).flags(self.chance())
        w.flags(self.has_weights, self.has_weights_for_b, self.chance())
        has_tiles, is_uniform = self.chance(), self.chance()
        w.flags(has_tiles, self.chance())
        if has_tiles:
            w.ue(2, 1).flags(is_uniform)
            if not is_uniform:
                w.ue(3, 0, 5)
            w.flags(self.chance())
        w.flags(self.chance())
        has_control, is_off = self.chance(), self.chance()
        w.flags(has_control)
        if has_control:
            w.flags(self.chance(), is_off).se(*[-2, 3] * (not is_off))
        self._maybe_scaling_list(w)
        return w.flags(self.may_reorder).ue(0).flags(False, False)

    def slice_payload(self, nal_type: int, qp: int, is_first: bool = True, is_dependent: bool = False) -> bytes:
        """Write a slice segment's header with a quantiser, and some slice data behind it."""
        w = BitWriter().flags(is_first)
        if nal_type >= 16:
            w.flags(self.chance())
        w.ue(self.pps_id)
        if not is_first:
            if self.has_dependent:
                w.flags(is_dependent)
            n_bits = (self.n_coding_trees - 1).bit_length()
            w.u(self.random.randrange(self.n_coding_trees), n_bits)
        if not (is_dependent and self.has_dependent):
            self._independent(w, nal_type, qp)
        return w.payload() + self.random.randbytes(20)

    def _independent(self, w: BitWriter, nal_type: int, qp: int) -> None:
        w.u(self.random.getrandbits(3) % (1 << self.n_extra_bits), self.n_extra_bits)
        slice_type = 2 if nal_type == IDR else self.random.randrange(3)
        w.ue(slice_type).flags(*[self.chance()] * self.has_output_flag)
        if self.has_separate_planes:
            w.u(self.random.randrange(3), 2)
        n_used, has_motion = (0, False) if nal_type == IDR else self._references(w)
        if self.has_sao:
            w.flags(*[self.chance() for _ in range(1 + self._has_chroma)])
        if slice_type != 2:
            self._prediction(w, slice_type, n_used, has_motion)
        w.se(qp - self.initial_qp)

    @property
    def _has_chroma(self) -> bool:
        return self.chroma_format != 0 and not self.has_separate_planes

    def _references(self, w: BitWriter) -> tuple[int, bool]:
        w.u(self.random.getrandbits(self.order_count_bits), self.order_count_bits)
        from_sps = bool(self.reference_sets) and self.chance()
        w.flags(from_sps)
        if from_sps:
            index = self.random.randrange(len(self.reference_sets))
            w.u(index, (len(self.reference_sets) - 1).bit_length())
            chosen = self.reference_sets[index]
        else:
            chosen = self._reference_set(w, is_of_slice=True)
        n_used = sum(is_used for _, is_used in chosen)
        if self.long_terms is not None:
            n_used += self._slice_long_terms(w)
        has_motion = self.has_temporal_motion and self.chance()
        if self.has_temporal_motion:
            w.flags(has_motion)
        return n_used, has_motion

    def _slice_long_terms(self, w: BitWriter) -> int:
        n_used, n_listed, n_own = 0, self.random.randrange(3) if self.long_terms else 0, self.random.randrange(3)
        if self.long_terms:
            w.ue(n_listed)
        w.ue(n_own)
        for i in range(n_listed + n_own):
            if i < n_listed:
                index = self.random.randrange(len(self.long_terms))
                w.u(index, (len(self.long_terms) - 1).bit_length())
                n_used += self.long_terms[index]
            else:
                is_used = self.chance()
                w.u(self.random.getrandbits(self.order_count_bits), self.order_count_bits).flags(is_used)
                n_used += is_used
            has_cycle = self.chance()
            w.flags(has_cycle).ue(*[self.few()] * has_cycle)
        return n_used

    def _prediction(self, w: BitWriter, slice_type: int, n_used: int, has_motion: bool) -> None:
        n_lists = 2 if slice_type == 0 else 1
        numbers = self.n_references[:n_lists]
        is_own = self.chance()
        w.flags(is_own)
        if is_own:
            numbers = [self.random.randrange(1, 16) for _ in range(n_lists)]
            w.ue(*[number - 1 for number in numbers])
        if self.may_reorder and n_used > 1:
            for number in numbers:
                is_ordered = self.chance()
                w.flags(is_ordered)
                for _ in range(number * is_ordered):
                    w.u(self.random.randrange(n_used), (n_used - 1).bit_length())
        w.flags(*[self.chance() for _ in range((slice_type == 0) + self.has_cabac_choice)])
        if has_motion:
            from_first = slice_type == 1 or self.chance()
            if slice_type == 0:
                w.flags(from_first)
            if numbers[0 if from_first else 1] > 1:
                w.ue(0)
        if self.has_weights if slice_type == 1 else self.has_weights_for_b:
            self._weights(w, numbers)
        w.ue(self.random.randrange(5))

    def _weights(self, w: BitWriter, numbers: list[int]) -> None:
        w.ue(self.random.randrange(8)).se(*[1] * self._has_chroma)
        for number in numbers:
            luma = [self.chance() for _ in range(number)]
            chroma = [self.chance() and self._has_chroma for _ in range(number)]
            w.flags(*luma).flags(*chroma if self._has_chroma else ())
            for has_luma, has_chroma in zip(luma, chroma, strict=True):
                w.se(*[self.random.randrange(-128, 128) for _ in range(2 * has_luma + 4 * has_chroma)])
