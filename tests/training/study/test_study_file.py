"""What a study file says, and what it can't say."""

from dataclasses import replace
from pathlib import Path

import pytest

from cvqe.errors import UsageError
from cvqe.models import create
from training.recipe import load_recipe, recipe_from_mapping
from training.run import checked
from training.study.recipe_text import recipe_text
from training.study.study_file import load_study
from training.trainable import check_trainable

CONFIGS = Path(__file__).resolve().parents[3] / "training" / "configs"
STUDY = CONFIGS.parent / "study" / "mganet_studies.toml"


def test_the_papers_variants_differ_in_what_is_studied_alone():
    study = load_study(STUDY)
    assert len(study.variants) == 21
    for variant in study.variants:
        recipe = checked(variant.recipe)
        assert recipe.data.configuration == (variant.coding,)
        assert (recipe.schedule, recipe.loss, recipe.run) == tuple(
            getattr(study.variants[0].recipe, section) for section in ("schedule", "loss", "run")
        )
        create(recipe.network.name, **recipe.network.options)
        is_low_delay = (
            variant.coding == "ldp-hm-tu3" and variant.name.startswith("f3") and variant.name != "f3-adjacent"
        )
        assert recipe.data.neighbors == ("low-delay" if is_low_delay else "adjacent")
    assert [variant.title for variant in study.variants if variant.is_base] == ["ai-tu3/f3", "ldp-hm-tu3/f3"]


def test_the_compared_networks_are_given_the_same():
    study = load_study(STUDY.with_name("comparison.toml"))
    shared = study.variants[0].recipe
    for variant in study.variants:
        recipe = checked(variant.recipe)
        assert replace(recipe.loss, alignment=0.0) == shared.loss
        assert bool(recipe.loss.alignment) == variant.name.startswith("mfqe")  # the exception that the study names
        assert (recipe.schedule, recipe.run, recipe.network.start) == (
            shared.schedule,
            shared.run,
            shared.network.start,
        )
        assert replace(recipe.data, configuration=(), qp=(), neighbors="", consecutive=1) == replace(
            shared.data, configuration=(), qp=(), neighbors="", consecutive=1
        )
        network = create(recipe.network.name, **recipe.network.options)
        check_trainable(network, recipe)
        n_published = sum(each.numel() for each in create(recipe.network.name).parameters())
        assert sum(each.numel() for each in network.parameters()) < n_published / 8


def test_options_of_a_variant_join_those_of_the_recipe():
    (variant,) = load_study(STUDY, ["schedule.steps=7"]).chosen(["ai-tu3/f5-early"])
    shared = load_recipe(CONFIGS / "mganet_slim.toml").network.options
    assert variant.recipe.network.options == {**shared, "radius": 2, "fusion": "early"}
    assert variant.recipe.schedule.steps == 7


def test_only_the_base_is_measured_at_other_qps():
    study = load_study(STUDY)
    base, other = study.chosen(["ai-tu3/f3"])[0], study.chosen(["ai-tu3/f1"])[0]
    assert (study.qps_of(base), study.qps_of(other)) == ((37, 35, 36, 38, 39), (37,))


def test_low_delay_variants_go_on_from_their_all_intra_namesakes():
    study = load_study(STUDY)
    starts = {variant.title: study.start_of(variant) for variant in study.variants}
    assert starts["ai-tu3/f3"] is None
    assert starts["ldp-hm-tu3/f5-slow"] == study.chosen(["ai-tu3/f5-slow"])[0]
    # all-intra coding has no variant of this name
    assert starts["ldp-hm-tu3/f3-adjacent"] == study.chosen(["ai-tu3/f3"])[0]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('base = "f3"', 'base = "f4"', "base = 'f4' is none of its variants"),
        ("[budget]", "[budgets]", "nothing is called 'budgets'"),
        ("frames = 20", "frame = 20", "nothing is called 'frame'"),
        ("schedule = { steps", "schedule = { step", "nothing is called 'step'"),
        ('start_from = "ai-tu3"', 'start_from = "ai"', "start_from = 'ai' is none of its codings"),
        ("f3 = {}", 'f3 = { codings = ["ldp-hm-tu3"] }', "f3 goes on from ai-tu3/f3, which is none of its variants"),
        ("f3 = {}", "f3 = { nets.a = 1 }", r"\[nets\] is no section"),
    ],
)
def test_a_slip_is_named(tmp_path, old, new, message):
    slip = STUDY.read_text().replace(old, new).replace("../configs/", f"{CONFIGS}/")
    (tmp_path / "study.toml").write_text(slip)
    with pytest.raises(UsageError, match=message):
        load_study(tmp_path / "study.toml")


def test_a_name_that_fits_no_variant_is_refused():
    with pytest.raises(UsageError, match="--only f9 fits no variant"):
        load_study(STUDY).chosen(["f9"])


def test_a_recipe_is_read_back_as_it_was(tmp_path):
    recipe = recipe_from_mapping(
        {
            "network": {"options": {"a b": [1, 2], "c": {"d": 'e"é'}, "f": True}},
            "schedule": {"rate": 1e-5, "gradient_norm": 1e9},
            "data": {"weight_of_qp": {"37": 2.5}, "validation": ["x*"]},
        },
        "here",
    )
    (tmp_path / "recipe.toml").write_text(recipe_text(recipe))
    assert load_recipe(tmp_path / "recipe.toml") == recipe
