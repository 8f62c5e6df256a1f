import itertools
from fractions import Fraction

import av
import pytest

from cvqe.frame import Frame
from runtime.clock_restart import ContinuousClock
from runtime.decoder import open_source
from tests.media import SILENT, Extras, make_video, opened


def joined(folder, extras):
    path = make_video(folder / "in.ts", frames=30, extras=extras, options={"bf": "2"})
    path.write_bytes(path.read_bytes() * 2)
    return path


def test_a_recording_that_starts_over_goes_on(tmp_path):
    with open_source(joined(tmp_path, SILENT)) as source:
        times = [float(item.pts_s) for item in source.items()]
        assert len(times) == 60
        assert {round(later - earlier, 6) for earlier, later in itertools.pairwise(times)} == {0.04}
        assert source.n_repaired == 0
        assert source.notes == ["time stamps start over (1 x); they are made to go on instead"]


def test_sound_moves_with_its_picture(tmp_path):
    path = joined(tmp_path, Extras())
    with opened(path) as container:
        first = {packet.stream.index: packet.dts for packet in reversed(list(container.demux())) if packet.size}
    with open_source(path) as source:
        items = list(source.items())
    restart = next(n for n, item in enumerate(items) if isinstance(item, Frame) and item.number == 30)
    video_s = items[restart].pts_s
    audio_s = min(item.starts_s for item in items[restart - 8 :] if not isinstance(item, Frame) and item.starts_s > 1.2)
    assert abs((audio_s - video_s) - (first[1] - first[0]) / 90_000) < 0.1


def packet(dts, time_base=Fraction(1, 10)):
    made = av.Packet(b"x")
    made.pts = made.dts = dts
    made.time_base, made.duration = time_base, 1
    return made


def test_jitter_is_left_alone():
    clock, packets = ContinuousClock(), [packet(dts) for dts in (0, 10, 8, 9, 30)]
    for each in packets:
        clock.adjust(each)
    assert ([each.dts for each in packets], clock.n_restarts) == ([0, 10, 8, 9, 30], 0)


def test_a_jump_forward_stays_as_it_is():
    clock, packets = ContinuousClock(), [packet(dts) for dts in (0, 10, 100_000, 100_001)]
    for each in packets:
        clock.adjust(each)
    assert ([each.dts for each in packets], clock.n_restarts) == ([0, 10, 100_000, 100_001], 0)


def test_after_a_reconnect_the_least_step_back_is_a_restart():
    clock, packets = ContinuousClock(), [packet(dts) for dts in (0, 1, 0, 1)]
    for number, each in enumerate(packets):
        if number == 2:
            clock.reconnect()
        clock.adjust(each)
    assert ([each.dts for each in packets], clock.n_restarts) == ([0, 1, 2, 3], 1)


def test_who_goes_on_after_a_reconnect_keeps_its_time():
    clock, packets = ContinuousClock(), [packet(dts) for dts in (0, 1, 50, 51)]
    for number, each in enumerate(packets):
        if number == 2:
            clock.reconnect()
        clock.adjust(each)
    assert ([each.dts for each in packets], clock.n_restarts) == ([0, 1, 50, 51], 0)


def test_a_reconnect_is_placed_by_the_first_packet_that_tells_a_time():
    clock, packets = ContinuousClock(), [packet(dts) for dts in (0, 10, None, 0)]
    for number, each in enumerate(packets):
        if number == 2:
            clock.reconnect()
        clock.adjust(each)
    assert [each.pts for each in packets] == [0, 10, None, 11]


def test_several_restarts_add_up():
    clock, packets = ContinuousClock(), [packet(dts) for dts in (0, 10, 0, 10, 0)]
    for each in packets:
        clock.adjust(each)
    assert ([each.dts for each in packets], clock.n_restarts) == ([0, 10, 11, 21, 22], 2)


@pytest.mark.parametrize("rate", [1, 2, 3, 5])
def test_reordered_frames_far_apart_are_no_restart(tmp_path, rate):
    path = make_video(tmp_path / "in.mkv", frames=30, rate=rate, options={"bf": "3"}, extras=Extras())
    with open_source(path) as source:
        times = [item.pts_s for item in source.items() if isinstance(item, Frame)]
    assert times == pytest.approx([number / rate for number in range(30)], abs=0.001)
