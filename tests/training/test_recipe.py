from pathlib import Path

import pytest

from cvqe.errors import InputError, UsageError
from cvqe.models import create
from training.recipe import Recipe, load_recipe, recipe_as_mapping, recipe_from_mapping, with_overrides
from training.run import checked

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_that_ships_can_be_run(path):
    recipe = checked(load_recipe(path))
    create(recipe.network.name, **recipe.network.options)


def test_an_empty_recipe_is_the_defaults(tmp_path):
    (tmp_path / "r.toml").write_text("")
    assert load_recipe(tmp_path / "r.toml") == Recipe()


def test_a_recipe_survives_being_stored():
    recipe = with_overrides(Recipe(), ["data.qp=[37, 42]", 'network.name="tgafnet"', "data.weight_of_qp={37=2.0}"])
    assert recipe_from_mapping(recipe_as_mapping(recipe), "stored") == recipe
    assert recipe.data.qp == (37, 42)


def test_an_override_changes_its_key_only():
    recipe = with_overrides(Recipe(), ["schedule.steps=10", "schedule.rate=1"])
    assert (recipe.schedule.steps, recipe.schedule.rate, recipe.schedule.batch) == (10, 1.0, Recipe().schedule.batch)
    assert isinstance(recipe.schedule.rate, float)


@pytest.mark.parametrize(
    "override, reason",
    [
        ("schedule.stpes=1", "nothing is called 'stpes'"),
        ("scheduel.steps=1", r"\[scheduel\] is no section"),
        ("steps=1", r"as in schedule\.steps=1"),
        ('schedule.steps="many"', "a int is needed"),
        ("schedule.steps=true", "a int is needed"),
        ("schedule.steps", "write section.key=value"),
    ],
)
def test_an_override_that_means_nothing_is_refused(override, reason):
    with pytest.raises(UsageError, match=reason):
        with_overrides(Recipe(), [override])


@pytest.mark.parametrize(
    "override",
    [
        'loss.picture="l2"',
        'network.start="warm"',
        'schedule.decay="stairs"',
        'run.precision="int8"',
        "schedule.steps=0",
        "data.patch_px=0",
    ],
)
def test_a_value_outside_its_words_is_refused(override):
    with pytest.raises(UsageError):
        checked(with_overrides(Recipe(), [override]))


def test_a_file_that_is_no_recipe_is_named(tmp_path):
    (tmp_path / "r.toml").write_text("[data\n")
    with pytest.raises(InputError, match=r"r\.toml"):
        load_recipe(tmp_path / "r.toml")
    with pytest.raises(InputError, match=r"none\.toml"):
        load_recipe(tmp_path / "none.toml")
