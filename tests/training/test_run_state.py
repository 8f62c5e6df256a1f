import pytest
import torch

from cvqe.errors import InputError, UsageError
from training.recipe import Recipe, recipe_as_mapping, with_overrides
from training.run_state import Files, load_state, save


def test_a_runs_files_are_named_after_its_checkpoint(tmp_path):
    files = Files(tmp_path / "live.pt")
    assert (files.state.name, files.log.name) == ("live.state.pt", "live.csv")


def test_a_state_comes_back_and_leaves_nothing_unfinished(tmp_path):
    path = tmp_path / "new" / "s.pt"
    save({"recipe": recipe_as_mapping(Recipe()), "step": 3, "network": {"w": torch.ones(2)}}, path)
    assert load_state(path, Recipe(), {})["step"] == 3
    assert [file.name for file in path.parent.iterdir()] == ["s.pt"]


def test_another_recipes_state_is_refused_with_what_changed(tmp_path):
    save({"recipe": recipe_as_mapping(Recipe()), "step": 3}, tmp_path / "s.pt")
    with pytest.raises(UsageError, match=r"schedule\.batch was 8, is 4"):
        load_state(tmp_path / "s.pt", with_overrides(Recipe(), ["schedule.batch=4"]), {})


def test_a_cut_state_is_refused(tmp_path):
    save({"recipe": recipe_as_mapping(Recipe()), "network": torch.ones(1000)}, tmp_path / "s.pt")
    (tmp_path / "s.pt").write_bytes((tmp_path / "s.pt").read_bytes()[:500])
    for path in (tmp_path / "s.pt", tmp_path / "none.pt"):
        with pytest.raises(InputError, match="holds no state to go on from"):
            load_state(path, Recipe(), {})


def test_a_state_of_other_data_or_another_number_of_processes_is_refused(tmp_path):
    origin = {"data": "clips a and b", "processes": 2}
    save({"recipe": recipe_as_mapping(Recipe()), "step": 3, **origin}, tmp_path / "s.pt")
    assert load_state(tmp_path / "s.pt", Recipe(), origin)["step"] == 3
    with pytest.raises(UsageError, match=r"run\.processes was 2, is 1"):
        load_state(tmp_path / "s.pt", Recipe(), {**origin, "processes": 1})
    with pytest.raises(UsageError, match="was 'clips a and b', is 'clip a'"):
        load_state(tmp_path / "s.pt", Recipe(), {**origin, "data": "clip a"})
