import pytest

from training.recipe import Recipe, recipe_as_mapping, with_overrides
from training.recipe_changes import changed_in

CONSTANT = with_overrides(Recipe(), ['schedule.decay="constant"'])


@pytest.mark.parametrize("recipe", [Recipe(), CONSTANT])
def test_the_same_recipe_is_no_other(recipe):
    assert changed_in(recipe_as_mapping(recipe), recipe) == ""


def test_a_changed_value_is_told():
    assert changed_in(recipe_as_mapping(Recipe()), with_overrides(Recipe(), ["data.patch_px=64"])) == (
        "data.patch_px was 128, is 64"
    )


def test_at_a_constant_rate_the_number_of_steps_may_change():
    assert changed_in(recipe_as_mapping(CONSTANT), with_overrides(CONSTANT, ["schedule.steps=7"])) == ""
    assert "schedule.steps" in changed_in(recipe_as_mapping(Recipe()), with_overrides(Recipe(), ["schedule.steps=7"]))


def test_another_decay_is_another_recipe():
    assert "schedule.decay was 'cosine'" in changed_in(recipe_as_mapping(Recipe()), CONSTANT)


def test_what_an_older_recipe_did_not_know_had_its_default():
    old = recipe_as_mapping(Recipe())
    del old["data"]["consecutive"]
    assert changed_in(old, Recipe()) == ""
    assert changed_in(old, with_overrides(Recipe(), ["data.consecutive=4"])) == "data.consecutive was 1, is 4"


def test_a_file_without_a_recipe_is_another_one():
    assert changed_in({}, Recipe()) == "network.name was None, is 'live'"
