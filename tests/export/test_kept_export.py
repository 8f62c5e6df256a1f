"""A checkpoint is exported once, and again when it has changed or what is there is no file of ours."""

from pathlib import Path
from shutil import copy, copytree

import pytest

from benchmarks import export_trained
from cvqe.checkpoint import load_checkpoint
from cvqe.errors import InputError
from export.kept_export import exported
from runtime.model_file import load_model_file
from tests.networks import made_up_network, save_checkpoint


def save_dcad(path, channels):
    return save_checkpoint(made_up_network("dcad", channels=channels), "dcad", path, channels=channels)


@pytest.fixture(scope="module")
def once_exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("once")
    exported(save_dcad(folder / "dcad.pt", channels=4), folder)
    return folder


@pytest.fixture
def folder(once_exported, tmp_path):
    return copytree(once_exported, tmp_path / "here")


def test_a_file_is_made_once(folder):
    path, checkpoint = folder / "dcad.onnx", folder / "dcad.pt"
    made_at = path.stat().st_mtime_ns
    assert exported(checkpoint, folder) == path
    assert path.stat().st_mtime_ns == made_at
    assert load_model_file(path).manifest.checkpoint_sha256 == load_checkpoint(checkpoint).sha256


@pytest.mark.parametrize("change", ["another checkpoint", "a damaged file"])
def test_what_is_not_fresh_is_made_again(folder, change):
    path, checkpoint = folder / "dcad.onnx", folder / "dcad.pt"
    if change == "a damaged file":
        path.write_bytes(b"no ONNX")
    else:
        save_dcad(checkpoint, channels=5)
    exported(checkpoint, folder)
    assert load_model_file(path).manifest.checkpoint_sha256 == load_checkpoint(checkpoint).sha256


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match=r"rfda\.pt is missing; .* leave rfda out"):
        exported(tmp_path / "rfda.pt", tmp_path)


def test_all_of_a_study_are_exported_and_named(folder, tmp_path, capsys):
    study, output = tmp_path / "study", tmp_path / "onnx"
    for coding in ("ldp-hm", "ai-tu3"):
        (study / coding).mkdir(parents=True)
        (output / coding).mkdir(parents=True)
        copy(folder / "dcad.pt", study / coding)
    copy(folder / "dcad.onnx", output / "ai-tu3")
    copy(folder / "dcad.pt", study / "ldp-hm" / "dcad.state.pt")
    assert export_trained.main([str(study), "--output", str(output)]) == 0
    labelled = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert list(labelled) == ["ai-tu3/dcad", "ldp-hm/dcad"]
    assert all(load_model_file(Path(path)).manifest.network == "dcad" for path in labelled.values())


def test_a_folder_without_checkpoints_is_refused(tmp_path, capsys):
    assert export_trained.main([str(tmp_path)]) == 3
    assert "holds no CODING/VARIANT.pt" in capsys.readouterr().err
