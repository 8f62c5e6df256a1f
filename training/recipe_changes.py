"""What is another recipe than the one that a checkpoint or a state was made by."""

from collections.abc import Mapping
from typing import Any

from training.recipe import Recipe, recipe_as_mapping


def changed_in(old: Mapping[str, Any], recipe: Recipe) -> str:
    """Return in words the first value that another recipe had; empty where none.

    More or fewer steps at a constant rate are no other recipe: each step is the same whatever number comes last.
    """
    new = recipe_as_mapping(recipe)
    if recipe.schedule.decay == "constant" and old.get("schedule", {}).get("decay") == "constant":
        new["schedule"]["steps"] = old["schedule"]["steps"]
    return first_difference(old, new)


def first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return in words the first value of nested mappings that is another; empty where none is."""
    for section, values in new.items():
        for key, value in values.items():
            before = old.get(section, {}).get(key)
            if before != value:
                return f"{section}.{key} was {before!r}, is {value!r}"
    return ""
