"""partition.py as a user runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.partition import main
from tests.media import make_video
from tests.runtime.partition_cases import ALL_INTRA, hevc_file

ROOT = Path(__file__).resolve().parents[2]
PARTITION = ROOT / "runtime" / "partition.py"
SMALL = (64, 64)
COMPILES_S = 600  # the parser, where nobody has used it before


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return hevc_file(tmp_path_factory.mktemp("partition") / "in file.mp4", ALL_INTRA, 3, SMALL)


@pytest.fixture
def parser():
    return pytest.importorskip("numba")


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_it_runs_by_path_and_says_what_it_found_and_drew(clip, tmp_path, parser):
    command = [sys.executable, str(PARTITION), str(clip), "-o", "out", "--frame", "0", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=COMPILES_S)
    assert done.returncode == 0, done.stderr
    assert f"{clip}: HEVC, 64x64, 8 bit\npictures    3 (I 3)\n" in done.stdout
    assert "qp          mean 37.00, 37 to 37\n" in done.stdout
    assert done.stdout.endswith("drawn: out/frame_000000.png and 1 more\n")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["frame_000000.png", "frame_000002.png"]


def test_json_holds_shares_that_sum_to_one(clip, capsys, parser):
    assert run(clip, "--statistics-only", "--per-frame", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["frames_read"], told["types"], told["exit_code"]) == (3, 3, {"I": 3}, 0)
    for shares in (told["transform"], told["coding"], told["mode"], told["qp"]["share"]):
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert told["mode"] == {"inter": 0, "intra": 1, "skipped": 0}
    assert [picture["frame"] for picture in told["pictures"]] == [0, 1, 2]
    assert told["qp"]["mean"] == told["pictures"][0]["qp"]["mean"] == 37
    assert told["written"] == []


def test_a_data_base_of_clips_is_written_and_kept(clip, tmp_path, capsys, parser):
    assert run(clip, "--database", tmp_path / "out") == 0
    assert capsys.readouterr().out == f"{tmp_path}/out/in file.npz  written  3 pictures, 3 read as a whole\n"
    assert run(clip, "--database", tmp_path / "out", "--json") == 0
    out, err = capsys.readouterr()
    told = json.loads(out)[0]
    assert (told["action"], told["n_pictures"], told["n_whole"]) == ("kept", 3, 3)
    assert "kept" in err


@pytest.mark.parametrize("codec, name", [("libx264", "h264"), ("libsvtav1", "av1"), ("ffv1", "ffv1")])
def test_other_standards_are_refused_in_one_sentence(tmp_path, capsys, codec, name):
    clip = make_video(tmp_path / "in.mkv", frames=2, size=SMALL, codec=codec)
    assert run(clip) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"partition: {clip} is coded as {name}: transform units are read from HEVC alone. Give an")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [clip]


def test_without_numba_the_command_that_brings_it_is_said(clip, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    for arguments in ((clip, "-o", tmp_path / "out"), (clip, "--database", tmp_path / "out")):
        assert run(*arguments) == 1
        err = capsys.readouterr().err
        assert "numba is not installed" in err
        assert "-m pip install" in err and err.endswith(" numba\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (("gone.mp4",), 3, "no such file"),
        (("gone.mp4", "other.mp4"), 2, "2 videos are given and one is drawn; for several:  --database FOLDER"),
        (("gone.mp4", "--database", "out", "--frame", "1"), 2, "takes no --frame"),
        (("gone.mp4", "--database", "out", "--statistics-only"), 2, "takes no --statistics-only"),
        (("gone.mp4", "--statistics-only", "-o", "out"), 2, "takes no --output; leave one of them out"),
        (("gone.mp4", "--statistics-only", "--frame", "0"), 2, "takes no --frame"),
        (("gone.mp4", "--statistics-only", "--panels", "grid"), 2, "takes no --panels"),
        (("gone.mp4", "--statistics-only", "--scale", "2"), 2, "takes no --scale"),
        (("gone.mp4", "--statistics-only", "--crop", "0", "0", "8", "8"), 2, "takes no --crop"),
        (("gone.mp4", "--statistics-only", "--qp-range", "20", "40"), 2, "takes no --qp-range"),
        (("gone.mp4", "--qp-range", "40", "40"), 2, "give the lower quantiser first"),
        (("gone.mp4", "--crop", "0", "0", "0", "9"), 2, "width and height come last"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_code(tmp_path, monkeypatch, capsys, parser, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(("partition: ", "gone.mp4"))
    assert words in err


@pytest.mark.parametrize(
    "arguments", [(), ("a.mp4", "--frame", "-1"), ("a.mp4", "--panels", "none"), ("--frames", "0")]
)
def test_what_argparse_refuses_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_an_existing_output_is_replaced_only_when_told(clip, tmp_path, capsys, parser):
    output = tmp_path / "out.mp4"
    output.write_bytes(b"mine")
    assert run(clip, "-o", output) == 2
    assert output.read_bytes() == b"mine"
    assert "--overwrite" in capsys.readouterr().err
    assert run(clip, "-o", output, "--overwrite") == 0
    assert output.stat().st_size > 100


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_leaves_nothing_half_written(tmp_path, parser):
    clip = hevc_file(tmp_path / "in.mkv", ALL_INTRA, 40)
    # heard also where the shell that runs the tests ignores it for what is in the background
    start = (
        "import signal, sys, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); sys.argv = sys.argv[1:]"
    )
    command = [sys.executable, "-c", f"{start}; runpy.run_path(sys.argv[0], run_name='__main__')", str(PARTITION)]
    options = [str(clip), "-o", "out.mp4", "--scale", "8"]
    with subprocess.Popen([*command, *options], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_for(tmp_path / "out.partial.mp4", process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.endswith("partition: stopped; nothing half-written is left\n")
    assert list(tmp_path.iterdir()) == [clip]


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + COMPILES_S
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
