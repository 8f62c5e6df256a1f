import itertools
from fractions import Fraction

import av

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


def test_several_restarts_add_up():
    clock, packets = ContinuousClock(), [packet(dts) for dts in (0, 10, 0, 10, 0)]
    for each in packets:
        clock.adjust(each)
    assert ([each.dts for each in packets], clock.n_restarts) == ([0, 10, 11, 21, 22], 2)
