"""A comparison as it is typed, on small clips: what is written, kept and refused."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from calibration import compare
from calibration.comparison import Comparison, load_pair, quality_rows
from cvqe.errors import ExitCode
from tests.quantised import noisy_sample, save_pair
from tests.training.evaluation.examples import write_luma
from training.evaluation.evaluation import Hooks

SIZE, N_FRAMES = (32, 48), 7
QPS = (32, 37)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """Return still clips, and versions of them under noise."""
    folder = tmp_path_factory.mktemp("clips")
    for seed, name in enumerate("ab"):
        sample = noisy_sample(name, seed, SIZE)
        write_luma(folder / "clips" / f"{name}.mkv", [sample.pristine] * N_FRAMES)
        for qp in QPS:
            write_luma(folder / "coded" / f"ldp_qp{qp}" / f"{name}.mkv", list(sample.window))
    return folder


@pytest.fixture
def run(clips, tmp_path, capsys):
    """Return a function that runs the script on both clips; it returns the exit code and all that it says."""

    def run_script(network: Path, *options: object) -> tuple[int, str, str]:
        words = [
            "--onnx",
            network,
            "--clips",
            clips / "clips",
            "--coded",
            clips / "coded",
            "--output",
            tmp_path / "out",
        ]
        code = compare.main([str(word) for word in [*words, "--sizes", "24x16", "--rounds", 2, "--qp", 37, *options]])
        return code, *capsys.readouterr()

    return run_script


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "out" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_everything_is_measured_and_written(tmp_path, run):
    plain, calibrated = save_pair(tmp_path)
    code, out, _ = run(plain, "--qp", *QPS)
    assert (code, out) == (ExitCode.DONE, f"{tmp_path / 'out' / 'comparison.md'}\n")
    quality = rows(tmp_path, "quality")
    assert {(row["clip"], row["qp"]) for row in quality} == {(clip, str(qp)) for clip in "ab" for qp in QPS}
    assert {"fp32", "int8"} <= {row["precision"] for row in quality}
    assert all(float(row["delta_psnr_db"]) > 1 for row in quality)  # it denoises
    assert [(row["layer"], row["windows"]) for row in rows(tmp_path, "layers")] == [("second", "4")]
    assert {row["size"] for row in rows(tmp_path, "speed")} == {"24x16"}
    sizes = {row["file"]: int(row["bytes"]) for row in rows(tmp_path, "files")}
    assert sizes == {path.name: path.stat().st_size for path in (plain, calibrated)}
    assert all(str(tmp_path) not in row["command"] for row in [*quality, *rows(tmp_path, "speed")])
    assert "-0.0000" not in (tmp_path / "out" / "comparison.md").read_text()
    assert (tmp_path / "out" / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_measured_is_kept_until_the_calibrated_version_changes(tmp_path, run):
    plain, _ = save_pair(tmp_path)
    run(plain, "--only", "a")
    first = {row["clip"]: row["psnr_db"] for row in rows(tmp_path, "quality") if row["precision"] == "int8"}
    save_pair(tmp_path, amax=1.0)
    _, _, said = run(plain, "--only", "a")
    assert (said.count(" 0 to go"), said.count(" 1 to go")) == (2, 1)
    second = {row["clip"]: row["psnr_db"] for row in rows(tmp_path, "quality") if row["precision"] == "int8"}
    assert float(second["a"]) < float(first["a"])


def test_rows_of_other_qps_gather_and_those_of_other_frames_or_backends_are_left_out(tmp_path, clips):
    plain, _ = save_pair(tmp_path)
    config = Comparison(plain, clips / "clips", clips / "coded", tmp_path, only=("a",), qp=(37,))
    said: list[str] = []

    def measured(config: Comparison) -> list[tuple[str, str]]:
        hooks = Hooks(said.append, compare.show_done, compare.ignore_frame)
        found = quality_rows(config, *load_pair(config), "compare.py", hooks)
        return [(str(row["qp"]), row["precision"]) for row in found]

    first = measured(replace(config, frames=3))
    assert sorted(measured(replace(config, qp=(32,)))) == sorted(("32", precision) for _, precision in first)
    for path in (tmp_path / "evaluation" / "measured" / "ldp_qp32").rglob("*int8*.json"):
        path.write_text(path.read_text().replace('"openvino"', '"another"').replace('"onnxruntime"', '"another"'))
    expected = {(qp, precision) for qp in ("32", "37") for _, precision in first} - {("32", "int8")}
    assert sorted(measured(config)) == sorted(expected)
    assert said[-1] == f"{len(first) + 1} results are left out: of another backend, or of other --frames"


def test_a_version_of_another_network_is_refused(tmp_path, run):
    plain, _ = save_pair(tmp_path, source_sha256="0" * 64)
    code, out, err = run(plain)
    assert (code, out) == (ExitCode.ERROR, "")
    assert "small_int8.onnx was calibrated from a network with sha256 000000000000; " in err


def test_fp8_is_compared_by_emulation_and_its_speed_is_not_measured(tmp_path, run):
    plain, calibrated = save_pair(tmp_path, "fp8")
    assert run(plain, "--quantised", calibrated)[0] == ExitCode.DONE
    assert {(row["backend"], row["precision"]) for row in rows(tmp_path, "quality")} == {
        ("onnxruntime", "fp32"),
        ("onnxruntime", "fp8"),
    }
    assert "## How fast it is\n\nnot measured\n" in (tmp_path / "out" / "comparison.md").read_text()


@pytest.mark.parametrize(
    "options, words",
    [
        (["--only", "nothing"], "--only nothing matches no clip"),
        (["--configuration", "ai"], "is missing"),
        (["--quantised", "PLAIN"], "a network and its calibrated version were expected, in this order"),
    ],
)
def test_what_can_not_be_compared_is_refused_in_one_sentence(tmp_path, run, options, words):
    plain, _ = save_pair(tmp_path)
    code, out, err = run(plain, *(plain if option == "PLAIN" else option for option in options))
    assert code in (ExitCode.USAGE, ExitCode.UNREADABLE_INPUT)
    assert out == "" and words in err and err.startswith("compare: ")


@pytest.mark.parametrize(
    "options, words",
    [
        *((["--sizes", text], "one such as 416x240 was expected") for text in ("416", "x240", "0x240", "416x-1")),
        (["--rounds", "0"], "'0' is no whole number from 1 up"),
    ],
)
def test_a_value_that_is_none_is_a_mistake_of_usage(tmp_path, run, options, words, capsys):
    with pytest.raises(SystemExit) as stop:
        run(tmp_path / "m.onnx", *options)
    assert stop.value.code == ExitCode.USAGE
    assert words in capsys.readouterr().err
