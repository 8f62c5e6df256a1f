"""compress.py on clips made here: one at a time in this process, and whole runs as a user types them."""

import csv
import fcntl
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cvqe.errors import InputError
from cvqe.metrics import psnr_db, ssim
from cvqe.whole_file import write_whole
from tests.media import Extras, make_video
from training.clip_coding import ClipJob, ClipResult, code_clip
from training.coded_file import read_coded_file
from training.coding import Coding
from training.coding_index import IndexRow, load_index, save_index
from training.luma_clips import load_luma
from training.pristine_clip import pictures_of
from training.progress_bar import progress_bar

ROOT = Path(__file__).resolve().parents[2]
SIZE = (64, 48)
LDP = Coding("ldp", 37)
LONG_QPS = (24, 28, 32, 36, 40)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=120)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "training/compress.py", *map(str, arguments)]


def catch_interrupts() -> None:
    """Let Ctrl-C reach the program also where these tests run in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*arguments: object) -> subprocess.Popen[str]:
    """Begin a run in a process group of its own, as a terminal does."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        command(*arguments), cwd=ROOT, text=True, start_new_session=True, **pipes, preexec_fn=catch_interrupts
    )


def code(source: Path, target: Path, coding: Coding = LDP, **more: object) -> ClipResult:
    return code_clip(ClipJob(source, target, coding, **more))


def rows_of(output: Path) -> list[dict[str, str]]:
    with (output / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files_of(folder: Path) -> dict[str, bytes]:
    """Give every file's content, by its path in the folder; the lock, which is empty, left out."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name in "ab":
        make_video(folder / f"{name}.mkv", frames=6, size=SIZE, codec="ffv1")
    return folder


@pytest.fixture(scope="module")
def coded(clips, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("coded")
    done = run(clips, "--qp", "42", "37", "--output", output, "--ssim")
    assert (done.returncode, done.stdout) == (0, f"{output / 'index.csv'}\n"), done.stderr
    return output


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory) -> Path:
    """Make clips that take a while, so that a run can be stopped on the way."""
    folder = tmp_path_factory.mktemp("long")
    for name in "abc":
        make_video(folder / f"{name}.mkv", frames=100, size=SIZE, codec="ffv1")
    return folder


def test_clips_and_an_index_of_their_quality_are_written(clips, coded):
    rows = rows_of(coded)
    assert [(row["clip"], row["qp"], row["frames"]) for row in rows] == [
        (clip, qp, "6") for qp in ("37", "42") for clip in "ab"
    ]
    pristine, decoded = load_luma(clips / "a.mkv"), load_luma(coded / "ldp_qp37" / "a.mkv")
    pairs = list(zip(pristine, decoded, strict=True))
    assert float(rows[0]["psnr_db"]) == pytest.approx(np.mean([psnr_db(*pair) for pair in pairs]), abs=1e-3)
    assert float(rows[0]["ssim"]) == pytest.approx(np.mean([ssim(*pair) for pair in pairs]), abs=1e-5)
    kbps = int(rows[0]["bytes"]) * 8 * 25 / 6 / 1000
    assert float(rows[0]["bitrate_kbps"]) == pytest.approx(kbps, abs=0.05)
    assert float(rows[0]["psnr_db"]) > float(rows[2]["psnr_db"])
    assert len({row["settings"] for row in rows}) == 4


def test_a_run_adds_to_the_index_keeps_what_is_there_and_the_order_of_workers_is_not_seen(clips, coded, tmp_path):
    shutil.copytree(coded, tmp_path, dirs_exist_ok=True)
    before = files_of(tmp_path)
    done = run(clips, "--qp", "37", "32", "--output", tmp_path, "--workers", "1")
    assert done.returncode == 0, done.stderr
    words = [line.split() for line in done.stderr.splitlines()]
    assert [(line[0], line[2], line[-1]) for line in words] == [
        ("a", "37", "kept"),
        ("b", "37", "kept"),
        ("a", "32", "coded"),
        ("b", "32", "coded"),
    ]
    after = files_of(tmp_path)
    assert {name: after[name] for name in before if name != "index.csv"} == {
        name: content for name, content in before.items() if name != "index.csv"
    }
    assert [row for row in rows_of(tmp_path) if row["qp"] != "32"] == rows_of(coded)
    assert [row["qp"] for row in rows_of(tmp_path)] == ["32"] * 2 + ["37"] * 2 + ["42"] * 2


def test_a_clip_that_fails_is_named_and_the_others_are_coded(clips, tmp_path):
    folder, output = tmp_path / "clips", tmp_path / "out"
    shutil.copytree(clips, folder)
    (folder / "a_text.mkv").write_text("not a video")
    done = run(folder, "--qp", "37", "--output", output)
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith(f"compress: {folder / 'a_text.mkv'} is not a video")
    assert [row["clip"] for row in rows_of(output)] == ["a", "b"]
    for name in "ab":
        (folder / f"{name}.mkv").unlink()
    assert run(folder, "--qp", "32", "--output", output).returncode == 3
    assert [row["clip"] for row in rows_of(output)] == ["a", "b"]


@pytest.mark.parametrize(
    "options, exit_code, words",
    [
        (["--qp", "60"], 2, "1 to 51"),
        (["--codec", "avc", "--transform-depth", "3"], 2, "HEVC"),
        (["--workers", "0"], 2, "give 1 or more"),
        (["--exclude", "c"], 2, "--exclude c"),
        (["--exclude", "a", "b"], 3, "left out"),
        (["--exclude-noncommercial"], 3, "MANIFEST.json"),
    ],
)
def test_wrong_options_are_one_sentence(clips, tmp_path, options, exit_code, words):
    done = run(clips, "--output", tmp_path / "out", *options)
    assert (done.returncode, len(done.stderr.splitlines())) == (exit_code, 1)
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_two_runs_do_not_write_into_one_folder(clips, tmp_path):
    with (tmp_path / ".compress.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(clips, "--output", tmp_path)
    assert (done.returncode, done.stderr.count("another run")) == (1, 1)


def stop_on_the_way(long_clips: Path, output: Path, number: int, to_all: bool) -> subprocess.CompletedProcess[str]:
    """Send a signal as soon as one more clip is coded; return when every process of the run has ended."""
    n_before = len(list(output.glob("*/*.mkv")))
    begun = start(long_clips, "--qp", *LONG_QPS, "--output", output)
    while len(list(output.glob("*/*.mkv"))) == n_before and begun.poll() is None:
        time.sleep(0.005)
    (os.killpg if to_all else os.kill)(begun.pid, number)
    stdout, stderr = begun.communicate(timeout=30)  # ends when no worker holds the pipes any more
    return subprocess.CompletedProcess([], begun.returncode, stdout, stderr)


def test_a_run_that_is_stopped_or_killed_goes_on_to_the_same_files(long_clips, tmp_path):
    output, whole = tmp_path / "out", tmp_path / "whole"
    killed = stop_on_the_way(long_clips, output, signal.SIGKILL, to_all=False)
    assert (killed.returncode, killed.stdout, "Traceback" in killed.stderr) == (-signal.SIGKILL, "", False)
    assert not (output / "index.csv").exists()
    for left in output.glob("*/.*.tmp"):
        left.unlink()
    (output / "ldp_qp40").mkdir(exist_ok=True)
    (output / "ldp_qp40" / ".c.mkv.1.tmp").write_bytes(b"half")

    stopped = stop_on_the_way(long_clips, output, signal.SIGINT, to_all=True)
    assert stopped.returncode == 130, stopped.stderr
    assert stopped.stderr.splitlines()[-1].startswith("compress: stopped")
    assert "Traceback" not in stopped.stderr
    assert len(rows_of(output)) < len(LONG_QPS) * 3
    assert not list(output.rglob("*.tmp"))

    assert run(long_clips, "--qp", *LONG_QPS, "--output", output).returncode == 0
    assert run(long_clips, "--qp", *LONG_QPS, "--output", whole, "--workers", "1").returncode == 0
    assert files_of(output) == files_of(whole)


def test_a_worker_that_is_killed_is_said_and_what_is_done_is_kept(long_clips, tmp_path):
    begun = start(long_clips, "--qp", *LONG_QPS, "--output", tmp_path)
    while not any(tmp_path.glob("*/*.mkv")) and begun.poll() is None:
        time.sleep(0.005)
    children = Path(f"/proc/{begun.pid}/task/{begun.pid}/children").read_text().split()
    workers = [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    os.kill(workers[0], signal.SIGKILL)
    _, stderr = begun.communicate(timeout=60)
    assert (begun.returncode, "Traceback" in stderr) == (1, False)
    assert stderr.splitlines()[-1].endswith("Go on with fewer:  --workers 1")
    assert (tmp_path / "index.csv").exists()


def test_a_full_disk_leaves_nothing_behind(clips, tmp_path):
    limit = (1000, 1000)  # bytes a file may have: the index fits, a coded clip doesn't
    done = subprocess.run(
        command(clips, "--qp", "37", "--output", tmp_path),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert (done.returncode, done.stderr.count("File too large; nothing was written")) == (1, 2)
    assert list(files_of(tmp_path)) == ["index.csv"]


def test_a_terminal_shows_a_bar(clips, coded):
    terminal, stderr = pty.openpty()
    with subprocess.Popen(command(clips, "--qp", "37", "--output", coded), cwd=ROOT, stderr=stderr) as begun:
        os.close(stderr)
        shown = b""
        try:
            while read := os.read(terminal, 1024):
                shown += read
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(terminal)
    assert begun.returncode == 0
    assert b"\r[##############################] 2 of 2" in shown
    assert b"kept" not in shown


def test_the_bar_says_how_long_it_takes():
    assert progress_bar(0, 190, 0.0) == f"[{'-' * 30}]   0 of 190"
    assert progress_bar(95, 190, 60.0) == f"[{'#' * 15}{'-' * 15}]  95 of 190, 60 s left"
    assert progress_bar(19, 190, 60.0).endswith("19 of 190, 9 min left")


@pytest.mark.parametrize("ending, codec", [("mkv", "libx264"), ("mp4", "libx264"), ("mov", "libx264")])
@pytest.mark.parametrize("extras", [Extras(cover=True)])
def test_the_video_of_a_file_with_other_streams_is_coded(tmp_path, ending, codec, extras):
    source = make_video(tmp_path / f"in.{ending}", frames=5, size=SIZE, codec=codec, extras=extras)
    assert code(source, tmp_path / "out.mkv").row.frames == 5


@pytest.mark.parametrize("ending, codec", [("y4m", "rawvideo"), ("avi", "mpeg4"), ("webm", "libvpx-vp9")])
def test_other_containers_are_read(tmp_path, ending, codec):
    source = make_video(tmp_path / f"in.{ending}", frames=5, size=SIZE, codec=codec)
    assert code(source, tmp_path / "out.mkv").row.frames == 5


@pytest.mark.parametrize("codec", ["hevc", "avc"])
@pytest.mark.parametrize("pix_fmt, size", [("gray", SIZE), ("gray", (63, 47)), ("yuvj420p", SIZE)])
def test_gray_and_full_range_are_coded_as_they_are(tmp_path, codec, pix_fmt, size):
    original = "mjpeg" if pix_fmt == "yuvj420p" else "ffv1"
    source = make_video(tmp_path / "in.avi", frames=3, size=size, codec=original, pix_fmt=pix_fmt)
    coding = Coding("ldp", 22, codec)
    assert code(source, tmp_path / "out.mkv", coding).row.psnr_db > 35
    assert load_luma(tmp_path / "out.mkv").shape == (3, size[1], size[0])


@pytest.mark.parametrize(
    "make, words",
    [
        ({"size": (63, 48)}, r"63x48; 4:2:0 needs an even width and height: crop it"),
        ({"size": (64, 14)}, r"64x14; libx265 takes 16x16 and larger"),
        ({"pix_fmt": "yuv420p10le"}, r"yuv420p10le; 8-bit 4:2:0 or gray.*-pix_fmt yuv420p"),
        ({"pix_fmt": "yuv444p"}, r"is yuv444p; 8-bit"),
        ({"pix_fmt": "gray16le"}, r"is gray16le; 8-bit"),
    ],
)
def test_pictures_that_the_encoder_would_refuse_or_change_are_refused_before(tmp_path, make, words):
    source = make_video(tmp_path / "in.mkv", **{"frames": 2, "size": SIZE, "codec": "ffv1", **make})
    with pytest.raises(InputError, match=words):
        code(source, tmp_path / "out" / "in.mkv")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [(16, 16), (18, 16)])
def test_the_smallest_size_is_coded(tmp_path, size):
    source = make_video(tmp_path / "in.mkv", frames=2, size=size, codec="ffv1")
    assert code(source, tmp_path / "out.mkv").row.frames == 2


def test_avc_takes_smaller_pictures(tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=2, size=(2, 2), codec="ffv1")
    assert code(source, tmp_path / "out.mkv", Coding("ldp", 37, "avc")).row.frames == 2


def test_a_clip_that_is_cut_off_or_changes_its_size_is_refused(tmp_path):
    source = make_video(tmp_path / "in.mkv", frames=100, size=SIZE, codec="ffv1")
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(InputError, match=r"in\.mkv: the file ends early: \d\d frames"):
        code(source, tmp_path / "out.mkv")
    parts = [make_video(tmp_path / f"{width}.ts", frames=4, size=(width, 48)) for width in (64, 96)]
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(InputError, match=r"both\.ts changes its size or pixel format at frame 4"):
        list(pictures_of(tmp_path / "both.ts"))
    assert not (tmp_path / "out.mkv").exists()


@pytest.fixture
def pair(clips, tmp_path) -> tuple[Path, Path]:
    """Give a clip and its coded version."""
    target = tmp_path / "out.mkv"
    assert code(clips / "a.mkv", target).action == "coded"
    return clips / "a.mkv", target


def test_a_file_made_with_other_settings_is_not_taken(pair):
    source, target = pair
    ldp = target.read_bytes()
    others = [Coding("ai", 37), Coding("ldp", 36), Coding("ldp", 37, "avc"), Coding("ldp", 37, transform_depth=3)]
    for coding in [*others, LDP]:
        assert [code(source, target, coding).action for _ in range(2)] == ["coded again", "kept"]
    assert target.read_bytes() == ldp


def test_a_file_of_another_clip_is_not_taken(pair, tmp_path):
    other = make_video(tmp_path / "a.mkv", frames=6, size=SIZE, codec="ffv1", rate=30)
    assert code(other, pair[1]).action == "coded again"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
def test_a_file_that_is_cut_off_is_made_again(pair, share):
    source, target = pair
    whole = target.read_bytes()
    target.write_bytes(whole[: int(len(whole) * share)])
    assert code(source, target).action == "coded again"
    assert target.read_bytes() == whole


def test_a_file_of_unknown_origin_is_made_again(pair):
    source, target = pair
    target.write_bytes(source.read_bytes())
    assert read_coded_file(target) is None
    assert code(source, target).action == "coded again"


def test_what_is_known_of_a_kept_file_is_not_measured_again(pair):
    source, target = pair
    row = code(source, target).row
    told = IndexRow(row.clip, row.configuration, row.qp, row.frames, 99.0, row.bitrate_kbps, None, row.bytes, "")
    assert code(source, target, known=told).row == row  # a row without settings may be anything's
    told = IndexRow(**{**vars(told), "settings": row.settings})
    assert code(source, target, known=told).row.psnr_db == 99.0
    measured = code(source, target, known=told, wants_ssim=True).row
    assert (measured.psnr_db, measured.ssim is None) == (row.psnr_db, False)


def test_the_encoders_message_about_itself_is_no_payload(clips, tmp_path):
    """x264 writes half a kilobyte about its options into the first packet: as much as these pictures."""
    content = code(clips / "a.mkv", tmp_path / "out.mkv", Coding("ldp", 37, "avc"))
    message = (tmp_path / "out.mkv").read_bytes().partition(b"x264 - core")[2].partition(b"\0")[0]
    assert len(message) > 400
    assert content.row.bytes + len(message) < (tmp_path / "out.mkv").stat().st_size


def test_equal_frames_count_as_100_db(tmp_path):
    flat = tmp_path / "flat.y4m"
    flat.write_bytes(b"YUV4MPEG2 W32 H32 F25:1 Ip C420jpeg\n" + (b"FRAME\n" + bytes([128]) * 32 * 48) * 3)
    assert code(flat, tmp_path / "out.mkv").row.psnr_db == 100.0


def test_the_index_outlives_earlier_versions_and_forgets_clips_that_are_gone(tmp_path):
    for name in ("a", "gone"):
        make_video(tmp_path / f"{name}.mkv", frames=1, size=(16, 16))
    (tmp_path / "ldp_qp37").mkdir()
    (tmp_path / "a.mkv").rename(tmp_path / "ldp_qp37" / "a.mkv")
    old = "clip,configuration,qp,frames,psnr_db,bitrate_kbps\na,ldp,37,48,31.010,73.2\ngone,ldp,37,9,30.000,1.0\n"
    (tmp_path / "index.csv").write_text(old)
    rows = load_index(tmp_path)
    assert rows == {("ldp", 37, "a"): IndexRow("a", "ldp", 37, 48, 31.01, 73.2)}
    save_index(tmp_path, rows.values())
    assert load_index(tmp_path) == rows


@pytest.mark.parametrize(
    "content", ["a;b\n1;2\n", "clip,configuration,qp,frames,psnr_db,bitrate_kbps\na,ldp,x,1,1,1\n"]
)
def test_an_index_of_something_else_is_not_overwritten(clips, tmp_path, content):
    (tmp_path / "index.csv").write_text(content)
    done = run(clips, "--qp", "37", "--output", tmp_path)
    assert (done.returncode, "move it away" in done.stderr) == (1, True)
    assert (tmp_path / "index.csv").read_text() == content


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    write_whole(tmp_path / "a", b"old")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a", "no bytes")
    assert files_of(tmp_path) == {"a": b"old"}
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "folder"]


def test_a_folder_that_can_not_be_written_is_said_before_any_work(clips, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(clips, "--output", tmp_path / "file" / "out")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "can't be written to" in done.stderr
