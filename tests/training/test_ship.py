import pytest
import torch

from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.models import create
from tests.training.test_loop import ALONE, SMALL, SOURCE
from training import ship
from training.loop import Trainer
from training.run_state import Files, save


@pytest.fixture
def study(tmp_path):
    """A folder of one checkpoint with its state."""
    torch.manual_seed(0)
    learner = Trainer(create("live", channels=8, motion=8), SMALL, ALONE)
    learner.learn(SOURCE.batch(0, 0, 2))
    files = Files(tmp_path / "study" / "ldp" / "live.pt")
    save({**learner.checkpoint(), "options": {"channels": 8, "motion": 8}}, files.checkpoint)
    save(learner.state(), files.state)
    return tmp_path / "study"


def test_copies_hold_the_same_network_in_half_the_bytes(study, tmp_path, capsys):
    assert ship.main([str(study), "--output", str(tmp_path / "out")]) == 0
    copy, original = tmp_path / "out" / "ldp" / "live.pt", study / "ldp" / "live.pt"
    assert capsys.readouterr().out.strip() == str(copy)
    assert [path.name for path in (tmp_path / "out" / "ldp").iterdir()] == ["live.pt"]
    halved, whole = (network_from_checkpoint(load_checkpoint(path)) for path in (copy, original))
    for one, other in zip(halved.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=2**-11)  # half a unit in the last of 11 bits
    kept = {key: value for key, value in torch.load(original, weights_only=True).items() if key != "state_dict"}
    assert {key: value for key, value in torch.load(copy, weights_only=True).items() if key != "state_dict"} == kept


def test_a_folder_without_checkpoints_is_told(tmp_path, capsys):
    assert ship.main([str(tmp_path), "--output", str(tmp_path / "out")]) == 3
    assert "holds no CODING/VARIANT.pt" in capsys.readouterr().err


def test_what_float16_cannot_hold_is_refused(study, tmp_path, capsys):
    path = study / "ldp" / "live.pt"
    content = torch.load(path, weights_only=True)
    next(iter(content["state_dict"].values())).fill_(1e6)
    save(content, path)
    assert ship.main([str(study), "--output", str(tmp_path / "out")]) == 1
    assert "is not finite in float16" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_foreign_file_is_told(study, tmp_path, capsys):
    (study / "ldp" / "live.pt").write_bytes(b"nothing")
    assert ship.main([str(study), "--output", str(tmp_path / "out")]) == 3
    assert "is no checkpoint of training/train.py" in capsys.readouterr().err
