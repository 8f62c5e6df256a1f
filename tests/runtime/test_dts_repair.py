from fractions import Fraction

import av
import pytest

from runtime.dts_repair import DtsRepair


def mended(stamps, may_repeat):
    repair, result = DtsRepair(may_repeat), []
    for pts, dts in stamps:
        packet = av.Packet(b"x")
        packet.pts, packet.dts, packet.time_base = pts, dts, Fraction(1, 1000)
        repair.mend(packet)
        result.append((packet.pts, packet.dts))
    return result, repair.n_repaired


@pytest.mark.parametrize(
    "stamps, may_repeat, expected, n_repaired",
    [
        ([(-1024, -1024), (0, 0)], False, [(-1024, -1024), (0, 0)], 0),
        ([(0, -2), (4, -1), (2, 0)], False, [(0, -2), (4, -1), (2, 0)], 0),  # reordered
        ([(0, None), (4, None), (2, None), (1, 1)], False, [(0, None), (4, None), (2, None), (1, 1)], 0),
        ([(None, 5), (None, 6)], False, [(5, 5), (6, 6)], 0),
        ([(7, 7), (None, None)], False, [(7, 7), (8, 8)], 1),
        ([(None, None)], False, [(0, 0)], 1),
        ([(5, 5), (5, 5), (3, 3)], False, [(5, 5), (6, 6), (7, 7)], 2),
        ([(5, 5), (5, 5), (3, 3)], True, [(5, 5), (5, 5), (5, 5)], 1),
        ([(0, -(10**17)), (40, 2 - 10**17)], False, [(0, 0), (40, 40)], 2),  # never written by the encoder
        ([(0, -80), (10**7, -40), (40, 0)], False, [(0, -80), (10**7, -40), (40, 0)], 0),  # B-frames before a long gap
        ([(0, 10**17), (40, 0)], False, [(0, 0), (40, 1)], 2),
    ],
)
def test_as_few_stamps_as_possible_change(stamps, may_repeat, expected, n_repaired):
    assert mended(stamps, may_repeat) == (expected, n_repaired)
