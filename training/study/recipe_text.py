"""A recipe as the text of a TOML file, which `load_recipe` reads back."""

import json
from collections.abc import Mapping
from typing import Any

from training.recipe import Recipe, recipe_as_mapping


def recipe_text(recipe: Recipe) -> str:
    """Return every section with all its keys."""
    sections = [
        "\n".join([f"[{name}]", *(f"{key} = {_value(value)}" for key, value in values.items())])
        for name, values in recipe_as_mapping(recipe).items()
    ]
    return "\n\n".join(sections) + "\n"


def _value(value: Any) -> str:
    """Write a value; JSON's texts, numbers and truth values are TOML's."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_value(each)}' for key, each in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)
