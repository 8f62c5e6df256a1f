"""VP9's index against its table of quantisers."""

import math
from itertools import pairwise

import pytest

from runtime.vp9_qp import qp_from_vp9

# places of ac_qlookup that are none of the converter's own
QUANTISERS = {2: 9, 50: 57, 110: 132, 130: 182, 145: 235, 165: 335, 173: 387, 185: 483, 195: 582, 210: 771, 220: 933}
QUANTISERS |= {235: 1243, 240: 1369, 250: 1660}


@pytest.mark.parametrize("index, quantiser", QUANTISERS.items())
def test_an_index_is_the_qp_of_its_quantiser(index, quantiser):
    assert qp_from_vp9(index) == pytest.approx(4 + 6 * math.log2(quantiser / 8), abs=0.1)


def test_the_scale_ends_where_h264_and_hevc_end():
    assert qp_from_vp9(0) == -2
    assert qp_from_vp9(255) == pytest.approx(51, abs=0.1)


def test_a_higher_index_is_coarser():
    qps = [qp_from_vp9(index) for index in range(256)]
    assert all(a < b for a, b in pairwise(qps))
