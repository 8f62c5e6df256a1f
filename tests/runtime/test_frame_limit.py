from fractions import Fraction

import av
import pytest

from cvqe.frame import Frame
from runtime.copied_packet import CopiedPacket
from runtime.frame_limit import first_frames


def frame(number):
    picture = av.VideoFrame(2, 2, "gray")
    picture.pts, picture.time_base, picture.duration = number, Fraction(1, 10), 1
    return Frame(number, picture)


def packet(pts):
    made = av.Packet(b"x")
    made.pts, made.time_base = pts, Fraction(1, 10)
    return CopiedPacket(1, made)


def test_nothing_behind_the_last_frame_is_read_where_there_are_frames_alone():
    items = iter([frame(number) for number in range(9)])
    assert [item.number for item in first_frames(items, 3, has_other_streams=False)] == [0, 1, 2]
    assert next(items).number == 3


@pytest.mark.parametrize("limit, expected", [(1, [0]), (3, [0, 2]), (9, [0, 2, 30])])
def test_a_packet_that_comes_late_in_the_file_still_belongs_to_its_frame(limit, expected):
    items = [frame(0), frame(1), frame(2), frame(3), packet(0), packet(2), packet(30), frame(40)]
    kept = first_frames(iter(items), limit)
    assert [item.packet.pts for item in kept if isinstance(item, CopiedPacket)] == expected
