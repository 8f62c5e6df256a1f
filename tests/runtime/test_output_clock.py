import itertools
from fractions import Fraction

import av
import pytest
from av.rational import AVRational
from hypothesis import given, settings
from hypothesis import strategies as st

from cvqe.errors import CvqeError
from runtime.output_clock import OutputClock

FINE = Fraction(1, 90_000)


def stamped(stamps, container="matroska", time_base=FINE):
    clock, given = OutputClock(container), []
    for pts in stamps:
        picture = av.VideoFrame(2, 2, "gray")
        picture.pts, picture.time_base = pts, time_base
        clock.stamp(picture)
        given.append(picture.pts)
    return given, clock.n_moved


@pytest.mark.parametrize(
    "stamps, expected, n_moved",
    [
        ([0, 90, 180], [0, 90, 180], 0),
        ([0, 1, 3600], [0, 45, 3600], 1),
        ([0, 1, 2, 200], [0, 45, 135, 225], 3),  # 200 rounds to the millisecond that 135 has
        ([-180, -136, -90], [-180, -134, -44], 2),  # halves are rounded away from zero: -135 is -2 ms
    ],
)
def test_only_what_would_fall_on_one_millisecond_moves(stamps, expected, n_moved):
    assert stamped(stamps) == (expected, n_moved)


@pytest.mark.parametrize("container", ["mp4", "mov", "mpegts"])
def test_a_clock_as_fine_as_the_sources_moves_nothing(container):
    assert stamped([0, 1, 2], container) == ([0, 1, 2], 0)


def test_frames_further_apart_than_a_transport_stream_can_tell_are_refused():
    with pytest.raises(CvqeError, match=r"two frames are 50000 s apart; MPEG-TS can tell up to 47722 s"):
        stamped([0, 50_000], "mpegts", Fraction(1))
    assert stamped([0, 50_000], "matroska", Fraction(1)) == ([0, 50_000], 0)


@given(st.sets(st.integers(-500, 500), min_size=1), st.sampled_from([FINE, Fraction(1, 16_711_705), Fraction(1, 24)]))
@settings(deadline=None)
def test_stamps_that_ffmpeg_has_rounded_still_go_forward(stamps, time_base):
    moved, n_moved = stamped(sorted(stamps), time_base=time_base)
    milliseconds = [rounded_by_ffmpeg(pts, time_base) for pts in moved]
    assert all(earlier < later for earlier, later in itertools.pairwise(milliseconds))
    assert n_moved == sum(pts != stamp for pts, stamp in zip(moved, sorted(stamps), strict=True))


def rounded_by_ffmpeg(pts, time_base):
    packet = av.Packet(1)
    packet.pts, packet.time_base = pts, time_base
    packet.rescale_ts(AVRational(Fraction(1, 1000)))
    return packet.pts
