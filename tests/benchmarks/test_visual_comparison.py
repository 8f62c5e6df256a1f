"""The figure from clips and checkpoints to picture and CSV, by real engines."""

import csv

import pytest

from benchmarks import visual_comparison
from tests.media import make_video
from tests.networks import made_up_network, save_checkpoint
from training.x265_settings import x265_params

SIZES = {"frames": 4, "size": (96, 96)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    (folder / "clips").mkdir()
    (folder / "coded" / "ldp_qp37").mkdir(parents=True)
    make_video(folder / "clips" / "a.mkv", codec="ffv1", **SIZES)
    params = {"x265-params": x265_params("ldp", 37)}
    make_video(folder / "coded" / "ldp_qp37" / "a.mkv", codec="libx265", options=params, **SIZES)
    save_checkpoint(made_up_network("dcad", channels=4), "dcad", folder / "dcad.pt", channels=4)
    return folder


def run(folder, *rows):
    options = [
        "--coded",
        "coded",
        "--checkpoints",
        ".",
        "--output",
        "out",
        "--picture",
        "out.png",
        "--results",
        "out.csv",
    ]
    places = [word if word.startswith("--") else str(folder / word) for word in options]
    chosen = ["--configuration", "ldp", "--networks", "dcad", "--threads", "1", "--row", *rows]
    return visual_comparison.main([str(folder / "clips"), *places, *chosen])


def test_every_network_is_shown_and_written(folder):
    assert run(folder, "a:2:10:16", "x264/a:1:0:0") == 0
    with (folder / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["shown"] for row in rows] == 2 * ["decoded", "DCAD", "live"]
    assert [row["coding"].partition(",")[0] for row in rows] == 3 * ["HEVC"] + 3 * ["H.264"]
    assert [float(row["gain_db"]) == 0 for row in rows] == 2 * [True, False, False]
    assert all(row["backend"] and row["precision"] and row["sha256"] for row in rows if row["shown"] != "decoded")
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "row, code, words",
    [
        ("a:2:10", 2, "--row a:2:10 is no place"),
        ("a:2:17:0", 2, "give X up to 16 and Y up to 16"),
        ("b:0:0:0", 2, "--row b:0:0:0: there is no "),
        ("x264/b:0:0:0", 2, "b.mkv; name a clip that is there"),
    ],
)
def test_a_wrong_row_is_one_sentence_and_an_exit_code(folder, capsys, row, code, words):
    assert run(folder, row) == code
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("visual_comparison: ") and words in said
