"""What is another recipe than the one that a checkpoint or a state was made by."""

from collections.abc import Mapping
from typing import Any

from training.recipe import Recipe, recipe_as_mapping


def changed_in(old: Mapping[str, Any], recipe: Recipe) -> str:
    """Return in words the first value that another recipe, as stored in a checkpoint, had; empty where none.

    What an older recipe did not know yet had its default. More or fewer steps at a constant rate are no other recipe:
    each step is the same whatever number comes last.
    """
    new, defaults = recipe_as_mapping(recipe), recipe_as_mapping(Recipe())
    whole = {section: {**defaults[section], **values} for section, values in old.items() if section in defaults}
    if recipe.schedule.decay == "constant" and "schedule" in whole:
        new["schedule"]["steps"] = whole["schedule"]["steps"]
    return first_difference(whole, new)


def first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return in words the first value of nested mappings that is another; empty where none is."""
    for section, values in new.items():
        for key, value in values.items():
            before = old.get(section, {}).get(key)
            if before != value:
                return f"{section}.{key} was {before!r}, is {value!r}"
    return ""
