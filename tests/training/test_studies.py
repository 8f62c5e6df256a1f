"""The script as a user runs it: two variants for two codings, trained, measured, written; kept when it runs again."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import mganet_tables, table1
from training import studies
from training.coder import decode_pictures, encode, frame_rate
from training.coding import Coding
from training.loop import Trainer
from training.recipe import load_recipe
from training.study import study_rows
from training.study.study_file import load_study

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
[network]
name = "mganet"
options = { channels = 4, shrink = 2, levels = 1, residual = true }
start = "centred"
[data]
patch_px = 32
qp = [37]
[schedule]
steps = 500
batch = 1
[run]
precision = "fp32"
"""
STUDY = """
recipe = "recipe.toml"
base = "f3"
[budget]
schedule = { steps = 2, warm_up = 1 }
[test]
base_qps = [36]
frames = 3
curve_clip = "b"
[codings.ai-tu3]
[codings.ldp-hm-tu3]
data.neighbors = "low-delay"
[variants]
f3 = {}
f5-unguided = { network.options = { radius = 2, guided = false }, data.neighbors = "adjacent" }
"""
CODINGS = ("ai", "ldp-hm")


@pytest.fixture(scope="module")
def coded(clips, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("coded_tu3")
    for coding in (Coding(configuration, qp, transform_depth=3) for configuration in CODINGS for qp in (36, 37)):
        (folder / coding.folder).mkdir()
        for clip in sorted(clips.glob("*.mkv")):
            pictures = list(decode_pictures(clip))
            (folder / coding.folder / clip.name).write_bytes(encode(pictures, frame_rate(clip), coding, len(pictures)))
    return folder


@pytest.fixture
def study(tmp_path) -> Path:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "small.toml").write_text(STUDY)
    return tmp_path / "small.toml"


def run(study: Path, clips: Path, coded: Path, *more: object) -> int:
    words = [clips, "--coded", coded, "--test", clips, "--test-coded", coded, "--output", study.parent / "out"]
    return studies.main([str(word) for word in [*words, "--config", study, "--threads", 1, *more]])


def rows(study: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((study.parent / "out" / f"{name}.csv").open()))


def test_every_variant_is_trained_measured_and_written_and_then_kept(study, clips, coded, monkeypatch):
    assert run(study, clips, coded, "--only", "ai-tu3/*") == 0
    assert {row["coding"] for row in rows(study, "small")} == {"ai-tu3"}
    first = (study.parent / "out" / "ai-tu3" / "f3.pt").stat().st_mtime_ns
    assert run(study, clips, coded) == 0
    assert (study.parent / "out" / "ai-tu3" / "f3.pt").stat().st_mtime_ns == first
    means = rows(study, "small")
    expected = [("f3", "units", 36), ("f3", "units", 37), ("f3", "grid", 37), ("f5-unguided", "", 37)]
    for coding, neighbors in (("ai-tu3", "adjacent"), ("ldp-hm-tu3", "low-delay")):
        own = [row for row in means if row["coding"] == coding]
        assert [(row["variant"], row["guide"], int(row["qp"])) for row in own] == expected
        assert [row["neighbors"] for row in own] == [neighbors] * 3 + ["adjacent"]
    assert {(row["steps"], row["n_clips"], row["frames"], row["seed"]) for row in means} == {("2", "2", "3", "0")}
    assert [row["radius"] for row in means] == ["1", "1", "1", "2"] * 2
    assert all(float(row["gmacs_416x240"]) > 0 and row["training_s"] and row["machine"] for row in means)
    monkeypatch.setattr(mganet_tables, "RESULTS", study.parent / "out")
    monkeypatch.setattr(mganet_tables, "STUDY", "small")
    assert f"| transform units | {float(means[1]['gain_db']):+.3f} |" in mganet_tables.guide_table()
    assert "| 36 | " in mganet_tables.robustness_table() and "2 steps of 1 patches" in mganet_tables.fusion_table()


def test_means_are_those_of_clips_and_clips_those_of_frames(study, clips, coded):
    assert run(study, clips, coded, "--only", "ai-tu3/f5-unguided") == 0
    (mean,), of_clips = rows(study, "small"), rows(study, "small_clips")
    of_frames = rows(study, "small_frames")
    assert [row["clip"] for row in of_clips] == ["a", "b"]
    gains = [float(row["gain_db"]) for row in of_clips]
    assert float(mean["gain_db"]) == pytest.approx(np.mean(gains), abs=1e-4)
    assert float(mean["worst_gain_db"]) == pytest.approx(min(gains), abs=1e-4)
    assert [row["frame"] for row in of_frames] == ["0", "1", "2"]
    assert np.mean([float(row["gain_db"]) for row in of_frames]) == pytest.approx(gains[1], abs=1e-4)


def test_another_number_of_frames_is_measured_anew_and_not_mixed_in(study, clips, coded):
    only = ("--only", "ai-tu3/f5-unguided")
    assert run(study, clips, coded, *only) == 0
    assert run(study, clips, coded, *only, "--frames", 2) == 0
    assert [row["frames"] for row in rows(study, "small")] == ["2"]
    assert len(rows(study, "small_frames")) == 2


def test_a_variant_leaves_the_recipe_it_was_trained_by(study, clips, coded):
    assert run(study, clips, coded, "--only", "ldp-hm-tu3/f5-unguided", "--set", "run.seed=3") == 0
    folder = study.parent / "out" / "ldp-hm-tu3"
    (variant,) = load_study(study, ["run.seed=3"]).chosen(["ldp-hm-tu3/f5-unguided"])
    assert load_recipe(folder / "f5-unguided.toml") == variant.recipe
    assert torch.load(folder / "f5-unguided.pt", weights_only=True)["recipe"]["run"]["seed"] == 3


def test_a_variant_that_was_stopped_goes_on(study, clips, coded, monkeypatch):
    command = ("--only", "ai-tu3/f5-unguided", "--set", "run.save_every=1")
    learn = Trainer.learn

    def interrupted(trainer, batch):
        if trainer.step == 1:
            raise KeyboardInterrupt
        return learn(trainer, batch)

    monkeypatch.setattr(Trainer, "learn", interrupted)
    assert run(study, clips, coded, *command) == 130
    monkeypatch.setattr(Trainer, "learn", learn)
    checkpoint = study.parent / "out" / "ai-tu3" / "f5-unguided.pt"
    assert torch.load(checkpoint, weights_only=True)["step"] == 1
    assert run(study, clips, coded, *command) == 0
    assert torch.load(checkpoint, weights_only=True)["step"] == 2
    assert len(rows(study, "small")) == 1


def test_a_variant_goes_on_from_its_namesake_of_another_coding(study, clips, coded, capsys):
    went_on = '[codings.ldp-hm-tu3]\nstart_from = "ai-tu3"\nschedule.rate = 0.0\n'
    assert STUDY.count("[codings.ldp-hm-tu3]\n") == 1
    study.write_text(STUDY.replace("[codings.ldp-hm-tu3]\n", went_on))
    assert run(study, clips, coded, "--only", "ldp-hm-tu3/f5-unguided") == 2
    assert "goes on from ai-tu3/f5-unguided, which is not trained yet" in capsys.readouterr().err
    assert run(study, clips, coded, "--only", "f5-unguided") == 0
    first, second = (
        torch.load(study.parent / "out" / coding / "f5-unguided.pt", weights_only=True)["state_dict"]
        for coding in ("ai-tu3", "ldp-hm-tu3")
    )
    assert first.keys() == second.keys()
    for name in first:  # it learns nothing at this rate, but averages: equal up to rounding
        torch.testing.assert_close(first[name], second[name])
    assert [row["started_from"] for row in rows(study, "small")] == ["", "ai-tu3/f5-unguided"]


def test_a_variant_that_was_trained_otherwise_is_refused(study, clips, coded, capsys):
    only = ("--only", "ai-tu3/f5-unguided")
    assert run(study, clips, coded, *only) == 0
    assert run(study, clips, coded, *only, "--set", "schedule.steps=3") == 2
    assert "schedule.steps was 2, is 3" in capsys.readouterr().err


def test_missing_test_clips_are_told_before_anything_is_trained(study, clips, coded, capsys):
    study.write_text(STUDY.replace("[36]", "[35]"))
    assert run(study, clips, coded) == 3
    assert "--configuration ai --transform-depth 3 --qp 35" in capsys.readouterr().err
    assert run(study, clips, coded, "--frames", 0) == 2
    assert not (study.parent / "out").exists()


@pytest.mark.parametrize("is_state_kept", [True, False])
def test_at_a_constant_rate_a_variant_goes_on_for_more_steps(study, clips, coded, is_state_kept):
    command = ("--only", "ai-tu3/f5-unguided", "--set", 'schedule.decay="constant"')
    assert run(study, clips, coded, *command) == 0
    folder = study.parent / "out" / "ai-tu3"
    before = torch.load(folder / "f5-unguided.pt", weights_only=True)
    if not is_state_kept:  # as where checkpoints alone were handed on
        (folder / "f5-unguided.state.pt").unlink()
    assert run(study, clips, coded, *command, "--set", "schedule.steps=4") == 0
    after = torch.load(folder / "f5-unguided.pt", weights_only=True)
    assert (before["step"], after["step"]) == (2, 4)
    assert load_recipe(folder / "f5-unguided.toml").schedule.steps == 4
    moved = [(after["state_dict"][name] - value).abs().max() for name, value in before["state_dict"].items()]
    assert 0 < max(moved) < 0.02  # two steps at a rate of 1e-3 on: not begun anew
    assert [row["steps"] for row in rows(study, "small")] == ["4"]


def test_an_export_of_fewer_steps_is_not_taken_for_the_checkpoint(study, clips, coded, monkeypatch):
    study.write_text(STUDY.replace("frames = 3", 'frames = 3\nmeasured_by = "runtime"'))
    command = ("--only", "ai-tu3/f5-unguided", "--set", 'schedule.decay="constant"', "--precision", "fp32")
    assert run(study, clips, coded, *command) == 0
    checkpoint = study.parent / "out" / "ai-tu3" / "f5-unguided.pt"
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, "step": 3}, checkpoint)  # trained on, and stopped before it was exported again
    whole = load_study(study, command[3:4])
    written = study.parent / "out"
    assert not list(study_rows.write_rows(whole, written, written / "evaluation", study.parent / "again"))


def test_the_papers_comparison_is_a_study_with_folders_of_its_own(study, clips, coded, monkeypatch):
    monkeypatch.setattr(table1, "DEFAULTS", {"--output": study.parent / "out", "--results": study.parent / "rows"})
    words = [clips, "--coded", coded, "--test", clips, "--test-coded", coded, "--config", study, "--threads", 1]
    assert table1.main([str(word) for word in [*words, "--only", "ai-tu3/f5-unguided"]]) == 0
    (row,) = csv.DictReader((study.parent / "rows" / "small.csv").open())
    (of_clip, _) = csv.DictReader((study.parent / "rows" / "small_clips.csv").open())
    assert float(row["delta_ssim"]) and float(of_clip["sd_db"])


def test_a_study_may_measure_what_the_runtime_makes_of_the_exports(study, clips, coded, capsys):
    study.write_text(STUDY.replace("frames = 3", 'frames = 3\nmeasured_by = "runtime"'))
    only = ("--only", "ai-tu3/f5-unguided", "--precision", "fp32")
    assert run(study, clips, coded, *only) == 0
    by_runtime = rows(study, "small")
    assert by_runtime[0]["computed_by"] in ("openvino fp32", "onnxruntime fp32")
    study.write_text(STUDY)
    assert run(study, clips, coded, *only, "--output", study.parent / "torch") == 0
    (by_torch,) = csv.DictReader((study.parent / "torch" / "small.csv").open())
    assert float(by_runtime[0]["gain_db"]) == pytest.approx(float(by_torch["gain_db"]), abs=2e-3)
    study.write_text(STUDY.replace("frames = 3", 'frames = 3\nmeasured_by = "eye"'))
    assert run(study, clips, coded, *only) == 2
    assert "one of torch, runtime was expected" in capsys.readouterr().err
