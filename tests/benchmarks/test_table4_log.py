import pytest

from benchmarks import table4_log
from benchmarks.own_process import NOT_MEASURED
from benchmarks.table4_cells import cells_of
from benchmarks.table4_log import TimesLog, n_frames, row_of
from benchmarks.table4_networks import SHIPPED, subjects_of


@pytest.fixture
def cell(tmp_path):
    return cells_of(subjects_of(["live"], [], tmp_path), ["64x48"])[0]


@pytest.fixture
def log_path(tmp_path, monkeypatch):
    monkeypatch.setattr(table4_log.report, "git_sha", lambda: "abc1234")
    return tmp_path / "table4.jsonl"


def outcome(*times_ms, mb=100.0):
    return {"computed_by": "openvino bf16", "versions": "openvino=1", "times_ms": list(times_ms), "peak_memory_mb": mb}


def test_a_row_is_of_the_frames_of_all_rounds(cell, log_path):
    log = TimesLog(log_path, is_resumed=False)
    log.add(cell, outcome(10.0, 20.0, 30.0))
    log.add(cell, outcome(40.0, 50.0, mb=120.4))
    row = row_of(cell, log.of(cell))
    assert (row["label"], row["network"], row["width"], row["height"], row["way"]) == ("live", "live", 64, 48, "eager")
    assert (row["frames"], row["rounds"], row["p20_ms"], row["median_ms"], row["p80_ms"]) == (5, 2, "20", "30", "40")
    assert (row["frames_per_s"], row["peak_memory_mb"], row["computed_by"]) == ("33.33", "120", "openvino bf16")
    assert (row["parameters"], row["git_sha"], row[NOT_MEASURED]) == (693_024, "abc1234", "")


def test_a_row_without_figures_says_why(cell, log_path):
    log = TimesLog(log_path, is_resumed=False)
    log.add(cell, outcome(10.0))
    log.add(cell, {NOT_MEASURED: "no room"})
    row = row_of(cell, log.of(cell))
    assert (row["median_ms"], row["frames"], row["rounds"], row[NOT_MEASURED]) == ("", "", 1, "no room")


def test_a_run_goes_on_with_what_was_measured_and_tries_again_what_was_not(cell, log_path):
    log = TimesLog(log_path, is_resumed=False)
    log.add(cell, outcome(10.0, 20.0))
    log.add(cell, {NOT_MEASURED: "no room"})
    with log_path.open("a") as file:
        file.write('{"label": "cut o')  # the run was stopped here
    for _ in range(2):
        assert n_frames(TimesLog(log_path, is_resumed=True).of(cell)) == 2
    assert TimesLog(log_path, is_resumed=False).of(cell) == []


def test_what_another_commit_or_another_file_was_measured_at_is_not_kept(cell, log_path, monkeypatch, tmp_path):
    TimesLog(log_path, is_resumed=False).add(cell, outcome(10.0))
    (other,) = subjects_of([], [f"live={SHIPPED['live_int8']}"], tmp_path)
    assert TimesLog(log_path, is_resumed=True).of(cells_of([other], ["64x48"])[0]) == []
    monkeypatch.setattr(table4_log.report, "git_sha", lambda: "def5678")
    assert TimesLog(log_path, is_resumed=True).of(cell) == []
