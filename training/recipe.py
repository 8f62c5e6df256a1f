"""A recipe: everything that decides what a training makes, in one TOML file."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cvqe.errors import InputError, UsageError

Section = TypeVar("Section")


@dataclass(frozen=True)
class NetworkRecipe:
    """Which network, and how its weights start."""

    name: str = "live"
    options: Mapping[str, Any] = field(default_factory=dict)
    start: str = "default"


@dataclass(frozen=True)
class DataRecipe:
    """Which windows are drawn, and how often."""

    configuration: tuple[str, ...] = ("ldp",)
    qp: tuple[int, ...] = (22, 27, 32, 37, 42)
    weight_of_qp: Mapping[str, float] = field(default_factory=dict)
    patch_px: int = 128
    neighbors: str = "adjacent"
    consecutive: int = 1
    fixed_grid_share: float = 0.1
    exclude: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScheduleRecipe:
    """How long and how fast to learn."""

    steps: int = 30_000
    batch: int = 8
    rate: float = 1e-3
    warm_up: int = 500
    decay: str = "cosine"
    ema: float = 0.999
    gradient_norm: float = 0.5


@dataclass(frozen=True)
class LossRecipe:
    """What is made small: the picture's loss, and weights of what else a network can be told."""

    picture: str = "frame-relative"
    alignment: float = 0.0
    teacher: str = ""
    distillation: float = 0.0


@dataclass(frozen=True)
class RunRecipe:
    """What does not change the result much, only where and how often."""

    precision: str = "bf16"
    seed: int = 0
    log_every: int = 100
    save_every: int = 500
    validate_every: int = 2000


@dataclass(frozen=True)
class Recipe:
    """The five sections of a recipe file."""

    network: NetworkRecipe = NetworkRecipe()
    data: DataRecipe = DataRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    loss: LossRecipe = LossRecipe()
    run: RunRecipe = RunRecipe()


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; what a file leaves out keeps its default.

    Raises:
        InputError: no such file, or no TOML.
        UsageError: a section or key that means nothing, or a value of the wrong type.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as a recipe: {error}.") from error
    return recipe_from_mapping(content, str(path))


def recipe_from_mapping(content: Mapping[str, Any], origin: str) -> Recipe:
    """Build a recipe from nested mappings; `origin` names them in an error."""
    sections: dict[str, Any] = vars(Recipe()).copy()
    for name, values in content.items():
        if name not in sections or not isinstance(values, Mapping):
            raise UsageError(f"{origin}: [{name}] is no section of a recipe; those are {', '.join(sections)}.")
        sections[name] = _section(type(sections[name]), values, f"{origin}, [{name}]")
    return Recipe(**sections)


def with_overrides(recipe: Recipe, overrides: list[str]) -> Recipe:
    """Return the recipe with `section.key=value` changes, each value written as in TOML.

    Raises:
        UsageError: an override that is not of this form, or does not fit the recipe.
    """
    content = recipe_as_mapping(recipe)
    for override in overrides:
        try:
            change = tomllib.loads(override)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"--set {override}: write section.key=value, a text value in quotes ({error}).") from error
        for section, values in change.items():
            if not isinstance(values, Mapping):
                raise UsageError(f"--set {override}: name the section too, as in schedule.{override}.")
            content[section] = {**content.get(section, {}), **values}
    return recipe_from_mapping(content, "--set")


def recipe_as_mapping(recipe: Recipe) -> dict[str, Any]:
    """Return plain nested dicts and lists, as they are stored in a checkpoint."""
    return {
        section.name: {
            key: list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
            for key, value in vars(getattr(recipe, section.name)).items()
        }
        for section in dataclasses.fields(recipe)
    }


def _section(kind: type[Section], values: Mapping[str, Any], origin: str) -> Section:
    """Fill one section; a list becomes a tuple, a whole number serves as a float."""
    defaults = vars(kind())
    unknown = sorted(set(values) - set(defaults))
    if unknown:
        raise UsageError(f"{origin}: nothing is called {unknown[0]!r}; there are {', '.join(defaults)}.")
    return kind(**{key: _value(value, defaults[key], f"{origin}, {key}") for key, value in values.items()})


def _value(value: Any, default: Any, origin: str) -> Any:
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(value, type(default)) and not (isinstance(value, bool) and not isinstance(default, bool)):
        return value
    raise UsageError(f"{origin}: {value!r} is a {type(value).__name__}, a {type(default).__name__} is needed.")
