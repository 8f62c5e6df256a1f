import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cvqe.errors import CvqeError, InputError
from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.live_input import LiveInput
from tests.media import Extras, frames_of, make_video, plane_bytes
from tests.runtime.senders import fifo_writer, free_port, http_server, rtsp_pusher, tcp_sender, udp_sender

QUICK = LiveInput(open_timeout_s=3.0, stall_s=0.5, give_up_s=0.8)
NO_B_FRAMES = {"bf": "0", "g": "10"}


@pytest.fixture
def transport_stream(tmp_path):
    return make_video(tmp_path / "in.ts", frames=30, options=NO_B_FRAMES)


def received(address, live=QUICK, **options):
    with open_source(address, live=live, **options) as source:
        frames = [item for item in source.items() if isinstance(item, Frame)]
    return source, frames


def assert_pts_increase(frames):
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(frames))


def assert_same_pictures(frames, path):
    assert [tuple(plane_bytes(frame.picture)) for frame in frames] == [shown.planes for shown in frames_of(path)]


def test_a_sender_that_comes_back_is_gone_on_with(transport_stream):
    content = transport_stream.read_bytes()
    with tcp_sender([content, content]) as address:
        source, frames = received(address)
    assert_same_pictures(frames[:30], transport_stream)
    assert_same_pictures(frames[30:], transport_stream)
    assert [frame.number for frame in frames if frame.follows_gap] == [30]
    assert {later.pts - earlier.pts for earlier, later in itertools.pairwise(frames)} == {3600}
    assert (source.n_reconnects, source.n_damaged, source.n_repaired) == (1, 0, 0)
    assert "the sender stopped and was reached again (1 x); what it sent in between is missing" in source.notes
    assert source.truncated_note == f"{address} stopped sending; given up after 0.8 s"


def test_a_sender_that_stalls_is_reached_again(transport_stream):
    content = transport_stream.read_bytes()
    with tcp_sender([content, content], hold_s=1.0) as address:
        source, frames = received(address)
    assert (len(frames), source.n_reconnects) == (60, 1)


def test_sound_goes_on_with_its_picture(tmp_path):
    path = make_video(tmp_path / "in.ts", frames=30, options=NO_B_FRAMES, extras=Extras())
    with tcp_sender([path.read_bytes()] * 2) as address, open_source(address, live=QUICK) as source:
        items = list(source.items())
    starts = [item.starts_s for item in items if not isinstance(item, Frame)]
    assert sum(isinstance(item, Frame) for item in items) == 60
    assert max(abs(later - earlier) for earlier, later in itertools.pairwise(starts)) < 0.2


def test_another_size_after_a_reconnect_is_scaled_to_the_first(tmp_path, transport_stream):
    other = make_video(tmp_path / "other.ts", frames=30, size=(96, 64), options=NO_B_FRAMES)
    with tcp_sender([transport_stream.read_bytes(), other.read_bytes()]) as address:
        source, frames = received(address)
    assert {(frame.picture.width, frame.picture.height) for frame in frames} == {(64, 48)}
    assert (
        "30 frames from frame 30 on are 96x64 yuv420p and were scaled to 64x48 yuv420p, like the first" in source.notes
    )


def test_other_streams_after_a_reconnect_are_refused(tmp_path, transport_stream):
    other = make_video(tmp_path / "other.ts", frames=30, codec="libx265", extras=Extras())
    with (
        tcp_sender([transport_stream.read_bytes(), other.read_bytes()]) as address,
        pytest.raises(CvqeError, match="came back with other streams: hevc video, aac audio; h264 video was expected"),
    ):
        received(address)


def test_udp_is_joined_in_the_middle_of_a_group_of_pictures(tmp_path):
    path = make_video(tmp_path / "in.ts", frames=100, options={**NO_B_FRAMES, "g": "25"})
    content = path.read_bytes()
    with udp_sender([content[len(content) * 2 // 5 // 188 * 188 :]], length_s=1.0) as address:
        source, frames = received(address)
    expected = [shown.pts for shown in frames_of(path)][50:]
    assert [frame.pts for frame in frames] == expected  # as they were sent, though the first ones never came
    assert source.n_damaged == 0
    assert 5 <= source.n_leading_lost <= 15
    assert source.notes == [f"{source.n_leading_lost} packets came before a whole picture did: passed over"]
    assert source.truncated_note.endswith("stopped sending; given up after 0.8 s")


def test_udp_that_stops_and_starts_again_is_gone_on_with(tmp_path):
    content = make_video(tmp_path / "in.ts", frames=50, options=NO_B_FRAMES).read_bytes()
    with udp_sender([content, content], length_s=0.6, pause_s=1.0) as address:
        source, frames = received(address, LiveInput(open_timeout_s=3, stall_s=0.5, give_up_s=1.6))
    assert [number for number, frame in enumerate(frames) if frame.follows_gap] == [50]
    assert len(frames) == 100
    assert_pts_increase(frames)
    assert (source.n_reconnects, source.n_damaged) == (1, 0)


def test_rtsp_is_listened_for_and_again_when_it_stops(tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=30, options=NO_B_FRAMES)
    url = f"rtsp://127.0.0.1:{free_port()}/live"
    live = LiveInput(options={"rtsp_flags": "listen"}, open_timeout_s=3, stall_s=0.5, give_up_s=1)
    with rtsp_pusher(path, url, n_times=2):
        source, frames = received(url, live)
    assert_same_pictures(frames[:30], path)
    assert_same_pictures(frames[30:], path)
    assert_pts_increase(frames)
    assert [frame.number for frame in frames if frame.follows_gap] == [30]
    assert source.truncated_note == f"{url} stopped sending; given up after 1 s"


@pytest.mark.parametrize("ending", ["ts", "mkv", "mp4"])
def test_a_named_pipe_ends_with_its_writer(tmp_path, ending):
    movflags = {"movflags": "frag_keyframe+empty_moov"} if ending == "mp4" else {}
    path = make_video(tmp_path / f"in.{ending}", frames=30, extras=Extras(), muxer_options=movflags)
    os.mkfifo(tmp_path / "pipe")
    with fifo_writer(tmp_path / "pipe", [path.read_bytes()]):
        source, frames = received(tmp_path / "pipe")
    assert_same_pictures(frames, path)
    assert (source.truncated_note, source.n_reconnects, source.is_live) == (None, 0, True)


def test_time_stamps_stay_as_they_were_sent(tmp_path):
    ten_hours, an_hour = 900_000, 90_000
    stamps = [ten_hours + number + (an_hour if number >= 20 else 0) for number in range(30)]
    path = make_video(tmp_path / "in.ts", pts_list=stamps)
    os.mkfifo(tmp_path / "pipe")
    with fifo_writer(tmp_path / "pipe", [path.read_bytes()]):
        source, frames = received(tmp_path / "pipe")
    assert [frame.pts for frame in frames] == [shown.pts for shown in frames_of(path)]
    assert frames[20].pts_s - frames[19].pts_s > 3600
    assert (source.n_repaired, source.notes) == (0, [])


def test_standard_input_is_a_source(tmp_path):
    path = make_video(tmp_path / "in.mkv", frames=12)
    script = (
        "from runtime.decoder import open_source; source = open_source('-'); print(source.name, len([*source.items()]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], input=path.read_bytes(), capture_output=True, cwd=Path(__file__).parents[2]
    )
    assert result.stdout.decode() == "standard input 12\n", result.stderr.decode()


def test_a_pipe_is_not_opened_twice_though_its_end_is_damaged(tmp_path):
    path = make_video(tmp_path / "in.mkv", frames=30)
    os.mkfifo(tmp_path / "pipe")
    content = path.read_bytes()
    with fifo_writer(tmp_path / "pipe", [content[:-2000] + bytes(1000)]):
        frames = received(tmp_path / "pipe")[1]
    assert 5 < len(frames) < 30


def test_a_frame_knows_when_its_packet_came(tmp_path):
    path = make_video(tmp_path / "in.mkv", frames=60, options=NO_B_FRAMES)
    os.mkfifo(tmp_path / "pipe")
    content, before = path.read_bytes(), time.monotonic()
    halves = [content[: len(content) // 2], content[len(content) // 2 :]]
    with fifo_writer(tmp_path / "pipe", halves, pause_s=0.4):
        frames = received(tmp_path / "pipe", LiveInput(is_realtime=True), threads=1)[1]
    times = [frame.arrived_s for frame in frames]
    assert times == sorted(times)
    assert before < times[0] < times[-1] - 0.3 < time.monotonic()
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) > 0.3


def test_a_file_on_a_server_is_not_begun_again(tmp_path):
    for ending in ("mkv", "ts"):
        make_video(tmp_path / f"in.{ending}", frames=30)
        with http_server(tmp_path) as address:
            source, frames = received(f"{address}/in.{ending}")
        assert (len(frames), source.n_reconnects, source.truncated_note) == (30, 0, None)


def test_a_live_playlist_is_asked_for_again(tmp_path):
    make_video(tmp_path / "1.ts", frames=30, options=NO_B_FRAMES)
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:1", "#EXTINF:1.2,", "1.ts", ""]
    (tmp_path / "live.m3u8").write_text("\n".join(lines))
    live = LiveInput(open_timeout_s=3, stall_s=0.5, give_up_s=0.4)
    with http_server(tmp_path) as address:
        source, frames = received(f"{address}/live.m3u8", live)
    assert len(frames) == 30
    assert source.truncated_note.endswith("stopped sending; given up after 0.4 s")


def test_stopping_ends_the_wait_for_a_sender(transport_stream):
    content = transport_stream.read_bytes()
    with tcp_sender([content]) as address, open_source(address, live=LiveInput(give_up_s=60)) as source:
        threading.Timer(1.0, source.stop).start()
        start = time.monotonic()
        n_frames = len(list(source.items()))
    assert (n_frames, source.truncated_note) == (30, None)
    assert time.monotonic() - start < 3


def test_stopping_ends_after_the_read_that_is_under_way(transport_stream):
    content = transport_stream.read_bytes()
    with tcp_sender([content], hold_s=1.5) as address, open_source(address, live=QUICK) as source:
        items = source.items()
        next(items)
        source.stop()
        assert len(list(items)) < 29
    assert (source.truncated_note, source.n_reconnects) == (None, 0)


def test_a_sender_of_nothing_whole_is_told(transport_stream):
    content = transport_stream.read_bytes()[:400]
    with tcp_sender([content]) as address, pytest.raises(InputError, match="can't be opened"):
        received(address)
