import csv

import pytest
import torch

from training.progress import Progress, gain_db
from training.run_state import Files


def terms(picture):
    return {"picture": torch.tensor(picture), "error": torch.tensor(picture), "decoded": torch.tensor(1.0)}


def rows(files):
    return list(csv.DictReader(files.log.open()))


def test_a_row_holds_the_means_since_the_last(tmp_path, capsys):
    files = Files(tmp_path / "n.pt")
    with Progress(files, 10, 0, is_shown=True) as progress:
        progress.add(terms(0.8), 0.0)
        progress.add(terms(1.0), 0.0)
        progress.log(2, 1e-3)
        progress.add(terms(0.5), 0.0)
        progress.log(3, 1e-3)
        progress.validated(3, {37: 0.25})
    assert [(row["step"], row["loss"]) for row in rows(files)] == [("2", "0.900000"), ("3", "0.500000")]
    assert rows(files)[1]["validation_db"] == "37:+0.250"
    assert "gain +3.0103 dB" in capsys.readouterr().err


def test_a_resumed_run_drops_the_rows_of_steps_it_takes_again(tmp_path):
    files = Files(tmp_path / "n.pt")
    with Progress(files, 10, 0, is_shown=True) as progress:
        for step in (2, 4, 6):
            progress.add(terms(1.0), 0.0)
            progress.log(step, 1e-3)
    with Progress(files, 10, 4, is_shown=True) as progress:
        progress.add(terms(0.7), 0.0)
        progress.log(6, 1e-3)
    assert [row["step"] for row in rows(files)] == ["2", "4", "6"]
    assert rows(files)[2]["loss"] == "0.700000"


def test_only_the_first_process_writes(tmp_path, capsys):
    files = Files(tmp_path / "n.pt")
    with Progress(files, 10, 0, is_shown=False) as progress:
        progress.add(terms(1.0), 0.0)
        progress.log(1, 1e-3)
    assert not files.log.exists()
    assert capsys.readouterr().err == ""


def test_the_gain_is_that_of_the_squared_errors_whatever_the_loss():
    assert gain_db({"picture": -0.3, "error": 0.5, "decoded": 1.0}) == pytest.approx(3.0103, abs=1e-4)
    assert gain_db({"picture": 0.0, "error": 0.0, "decoded": 0.0}) == 0.0
