"""stream.py between pipes, network addresses and playlists: real processes and sockets on this machine."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from tests.media import Extras, frames_of, make_video, packets_of
from tests.runtime.senders import free_port, rtsp_pusher, tcp_sender, udp_sender

STREAM = Path(__file__).resolve().parents[2] / "runtime" / "stream.py"
N_FRAMES = 50
EXACT = ("--encoder", "libx264", "--encoder-qp", "10", "--precision", "fp32")


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("live") / "in.ts"
    return make_video(path, frames=N_FRAMES, size=(64, 48), options={"g": "10", "bf": "0"}, extras=Extras())


def command(live_onnx: Path, *arguments: str | Path) -> list[str]:
    return [sys.executable, str(STREAM), *map(str, arguments), "--model", str(live_onnx)]


def run(live_onnx, *arguments, cwd, code=0, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        command(live_onnx, *arguments), cwd=cwd, input=given, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("form", ["matroska", "mpegts", "mp4", "nut"])
def test_a_pipe_carries_every_frame_and_the_summary_goes_elsewhere(live_onnx, video, tmp_path, form):
    done = run(live_onnx, "-", "-o", "-", "--format", form, "--json", cwd=tmp_path, given=video.read_bytes())
    (tmp_path / "out").write_bytes(done.stdout)
    assert len(frames_of(tmp_path / "out")) == N_FRAMES
    assert [len(packets) for packets in packets_of(tmp_path / "out", "audio").values()] == [
        len(packets) for packets in packets_of(video, "audio").values()
    ]
    summary = json.loads(b"{" + done.stderr.split(b"{", 1)[1])
    assert (summary["frames_in"], summary["frames_out"], summary["exit_code"]) == (N_FRAMES, N_FRAMES, 0)
    assert summary["latency"]["median_ms"] >= 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_what_comes_through_a_pipe_is_enhanced_like_a_file(live_onnx, video, tmp_path):
    run(live_onnx, video, "-o", "file.mkv", *EXACT, cwd=tmp_path)
    run(live_onnx, "-", "-o", "pipe.mkv", *EXACT, cwd=tmp_path, given=video.read_bytes())
    assert frames_of(tmp_path / "pipe.mkv") == frames_of(tmp_path / "file.mkv")


def test_a_reader_that_goes_away_is_one_sentence(live_onnx, tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=400, size=(160, 120), codec="ffv1")
    process = subprocess.Popen(
        command(live_onnx, source, "-o", "-", "--encoder", "ffv1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout and process.stderr
    process.stdout.read(1000)
    process.stdout.close()
    said = process.stderr.read().decode()
    assert process.wait(60) == 1
    assert "stream: -: writing failed (Broken pipe); nobody reads there any more" in said
    assert "Traceback" not in said


def test_a_playlist_and_its_segments_hold_every_frame(live_onnx, tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=250, size=(48, 32), extras=Extras())
    run(live_onnx, source, "-o", "live.m3u8", cwd=tmp_path)
    playlist = (tmp_path / "live.m3u8").read_text()
    segments = [line for line in playlist.splitlines() if line.endswith(".ts")]
    assert len(segments) >= 2 and playlist.endswith("#EXT-X-ENDLIST\n")
    assert sum(len(frames_of(tmp_path / name)) for name in segments) == 250
    assert all(len(frames_of(tmp_path / name)) > 50 for name in segments[:1])  # each begins with a key frame
    refused = run(live_onnx, source, "-o", "live.m3u8", cwd=tmp_path, code=2)
    assert b"live.m3u8 exists" in refused.stderr


def test_numbered_files_are_listed_when_they_are_whole(live_onnx, tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=250, size=(48, 32))
    run(live_onnx, source, "-o", "part_%03d.mkv", cwd=tmp_path)
    names = [line.split(",")[0] for line in (tmp_path / "part.csv").read_text().splitlines()]
    assert names == sorted(path.name for path in tmp_path.glob("part_*.mkv")) and len(names) >= 2
    assert sum(len(frames_of(tmp_path / name)) for name in names) == 250


class Receiver:
    """Listens to MPEG-TS over UDP until it was silent for a second."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(60)
        self.content = b""
        self._thread = threading.Thread(target=self._receive)

    def _receive(self) -> None:
        with self._socket, contextlib.suppress(TimeoutError):
            while True:
                self.content += self._socket.recv(65536)
                self._socket.settimeout(1)

    @contextmanager
    def listening(self) -> Iterator[None]:
        self._thread.start()
        yield
        self._thread.join()


def test_from_one_address_to_another(live_onnx, video, tmp_path):
    receiver = Receiver(port := free_port(socket.SOCK_DGRAM))
    with receiver.listening(), udp_sender([video.read_bytes()], length_s=2.0) as address:
        ways = ("--realtime", "2000", "--stall", "0.5", "--give-up", "0.5", "--input-option", "fifo_size=100000")
        # the sender stops: an input that ends early
        done = run(
            live_onnx, address, "-o", f"udp://127.0.0.1:{port}?pkt_size=1316", *ways, "--json", cwd=tmp_path, code=4
        )
    summary = json.loads(done.stdout)
    assert "stopped sending" in summary["truncated"]
    # it may have joined after the first key frame
    assert summary["frames_in"] == summary["frames_out"] >= N_FRAMES - 15
    (tmp_path / "received.ts").write_bytes(receiver.content)
    assert len(frames_of(tmp_path / "received.ts")) == summary["frames_out"]
    assert 0 < summary["latency"]["median_ms"] <= summary["latency"]["p95_ms"] <= summary["latency"]["max_ms"]


def test_an_rtsp_sender_pushes_into_a_file(live_onnx, tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=N_FRAMES, size=(64, 48), options={"g": "10", "bf": "0"})
    url = f"rtsp://127.0.0.1:{free_port()}/live"
    with rtsp_pusher(source, url):
        ways = ("--input-option", "rtsp_flags=listen", "--give-up", "0.5", "--stall", "1", "--allow-partial")
        done = run(live_onnx, url, "-o", "out.mkv", *ways, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["frames_out"] == len(frames_of(tmp_path / "out.mkv")) >= N_FRAMES - 10


def test_a_sender_that_comes_back_is_gone_on_with(live_onnx, video, tmp_path):
    with tcp_sender([video.read_bytes(), video.read_bytes()]) as address:
        ways = ("--give-up", "2", "--stall", "1", "--allow-partial", "--json")
        done = run(live_onnx, address, "-o", "out.mkv", *ways, cwd=tmp_path)
    summary = json.loads(done.stdout)
    assert (summary["reconnects"], summary["frames_out"]) == (1, 2 * N_FRAMES)
    times = [shown.time_s for shown in frames_of(tmp_path / "out.mkv")]
    assert times == sorted(set(times))


def test_ctrl_c_ends_a_live_run_cleanly(live_onnx, video, tmp_path):
    with tcp_sender([video.read_bytes()], hold_s=20) as address:
        process = subprocess.Popen(
            command(live_onnx, address, "-o", "out.mkv", "--stall", "2"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        end = time.monotonic() + 60
        while not (tmp_path / "out.partial.mkv").exists() and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted, kept as out.partial.mkv" in out
    assert len(frames_of(tmp_path / "out.partial.mkv")) > 0


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["-"], 2, "standard input is no file to name the output after"),
        (["-", "-o", "out.mkv", "--reference", "in.mkv"], 2, "leave --reference out"),
        (["/dev/video99", "-o", "out.mkv", "--input-format", "v4l2"], 3, "/dev/video99"),
        (["tcp://127.0.0.1:1", "-o", "out.mkv"], 3, "tcp://127.0.0.1:1"),
        (["-", "-o", "out.mkv"], 3, "standard input"),  # nothing comes
        (["in.mkv", "-o", "-", "--format", "matrosca"], 2, "no output format 'matrosca'"),
        (["in.mkv", "-o", "rtsp://127.0.0.1:1/out"], 1, "nobody reads there"),
        (["in.mkv", "-o", "gone/live.m3u8"], 1, "no such folder"),
        (["in.mkv", "-o", "-", "--input-option", "flag"], 2, "KEY=VALUE"),
    ],
)
def test_mistakes_end_with_one_sentence(live_onnx, tmp_path, arguments, code, words):
    make_video(tmp_path / "in.mkv", frames=3)
    before = sorted(tmp_path.iterdir())
    done = run(live_onnx, *arguments, cwd=tmp_path, code=code, given=b"")
    assert words in done.stderr.decode()
    assert sorted(tmp_path.iterdir()) == before


def test_a_password_is_never_shown(live_onnx, tmp_path):
    done = run(live_onnx, "tcp://user:secret@127.0.0.1:1", "-o", "out.mkv", cwd=tmp_path, code=3)
    assert b"secret" not in done.stderr + done.stdout


def test_a_file_in_real_time_takes_its_own_time(live_onnx, tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=50, size=(48, 32))
    summary = json.loads(run(live_onnx, source, "-o", "out.mkv", "--realtime", "--json", cwd=tmp_path).stdout)
    assert summary["elapsed_s"] >= 49 / 25
    assert summary["frames_out"] == len(frames_of(tmp_path / "out.mkv")) == 50
    assert summary["latency"]["max_ms"] > 0
    with av.open(str(tmp_path / "out.mkv")) as container:  # a key frame every two seconds, and none held back
        assert not any(packet.pts != packet.dts for packet in container.demux(video=0) if packet.size)
