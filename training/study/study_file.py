"""A study: one recipe, one budget, and the variants of it that are compared, in one TOML file.

recipe -> [budget] -> --set -> [codings.NAME] -> [variants.NAME]        each changes what stands before it

A coding with start_from = "OTHER" gives each variant the weights of its namesake in that coding to begin with, or those
of the base where it has none there.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cvqe.errors import InputError, UsageError
from training.recipe import Recipe, load_recipe, recipe_as_mapping, recipe_from_mapping, with_overrides

Content = Mapping[str, Any]
CODINGS = "codings"  # where a variant names those it is for; it is for all where it names none
START = "start_from"
MEASURED_BY = (TORCH, RUNTIME) = ("torch", "runtime")
KEYS = ("recipe", "base", "test", "budget", CODINGS, "variants")


@dataclass(frozen=True)
class TestPlan:
    """What every variant is measured on.

    Attributes:
        base_qps: of the base variant besides those that it was trained for; the others are measured at these alone.
        frames: the first ones of every test clip.
        curve_clip: the clip whose frames are written one by one.
        measured_by: "torch" for checkpoints as they are, "runtime" for what the runtime makes of their exports.
    """

    __test__ = False  # nothing for pytest

    base_qps: tuple[int, ...] = ()
    frames: int = 20
    curve_clip: str = ""
    measured_by: str = "torch"


@dataclass(frozen=True)
class Variant:
    """One network to train, for one coding.

    Attributes:
        start: title of the variant whose weights it begins with; empty where it begins afresh.
    """

    name: str
    coding: str
    recipe: Recipe
    is_base: bool
    start: str = ""

    @property
    def title(self) -> str:
        """Coding and name: ai-tu3/f3."""
        return f"{self.coding}/{self.name}"


@dataclass(frozen=True)
class Study:
    """All that is to be trained and measured."""

    name: str
    variants: tuple[Variant, ...]
    test: TestPlan

    @property
    def codings(self) -> tuple[str, ...]:
        """Every coding once."""
        return tuple(dict.fromkeys(variant.coding for variant in self.variants))

    def chosen(self, patterns: Sequence[str]) -> list[Variant]:
        """Return the variants whose name or CODING/NAME fits a pattern, as in a shell; all without a pattern.

        Raises:
            UsageError: a pattern fits none.
        """
        for pattern in patterns:
            if not any(_fits(variant, pattern) for variant in self.variants):
                names = ", ".join(dict.fromkeys(variant.name for variant in self.variants))
                raise UsageError(f"--only {pattern} fits no variant; there are {names}, or CODING/NAME.")
        return [each for each in self.variants if not patterns or any(_fits(each, one) for one in patterns)]

    def start_of(self, variant: Variant) -> Variant | None:
        """Return the variant whose weights another one begins with, if it does."""
        return next((each for each in self.variants if each.title == variant.start), None)

    def qps_of(self, variant: Variant) -> tuple[int, ...]:
        """Return the QPs to measure a variant at."""
        return (*variant.recipe.data.qp, *(self.test.base_qps if variant.is_base else ()))


def load_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study; overrides change the recipe of all its variants.

    Raises:
        InputError: it or its recipe can't be read.
        UsageError: something in it means nothing.
    """
    content = _content(path)
    unknown = sorted(set(content) - set(KEYS))
    if unknown:
        raise UsageError(f"{path}: nothing is called {unknown[0]!r}; there are {', '.join(KEYS)}.")
    shared = load_recipe(path.parent / str(content.get("recipe", "")))
    budget = merged(recipe_as_mapping(shared), content.get("budget", {}))
    shared = with_overrides(recipe_from_mapping(budget, f"{path}, [budget]"), list(overrides))
    variants = tuple(_variants(path, content, recipe_as_mapping(shared)))
    if not any(variant.is_base for variant in variants):
        raise UsageError(f"{path}: base = {content.get('base')!r} is none of its variants, one of which was expected.")
    study = Study(path.stem, variants, _test_plan(path, content.get("test", {})))
    for variant in variants:
        if variant.start and study.start_of(variant) is None:
            raise UsageError(f"{path}: {variant.title} goes on from {variant.start}, which is none of its variants.")
    return study


def merged(content: Content, changes: Content) -> dict[str, Any]:
    """Return nested mappings with the changes in them; a list or a value is replaced as a whole."""
    both = {
        key: merged(content[key], value)
        if isinstance(value, Mapping) and isinstance(content.get(key), Mapping)
        else value
        for key, value in changes.items()
    }
    return {**content, **both}


def _content(path: Path) -> Content:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as a study: {error}.") from error


def _variants(path: Path, content: Content, shared: Content) -> Iterator[Variant]:
    for coding, of_coding in content.get(CODINGS, {}).items():
        own = {key: value for key, value in of_coding.items() if key != START}
        coded = merged(merged(shared, {"data": {"configuration": [coding]}}), own)
        start = of_coding.get(START, "")
        for name, changes in _of_coding(content, coding).items():
            recipe = recipe_from_mapping(merged(coded, changes), f"{path}, variant {name}")
            is_base = name == content.get("base")
            yield Variant(name, coding, recipe, is_base, _start(path, content, start, name) if start else "")


def _of_coding(content: Content, coding: str) -> dict[str, dict[str, Any]]:
    """Return what the variants of a coding change."""
    return {
        name: {key: value for key, value in changes.items() if key != CODINGS}
        for name, changes in content.get("variants", {}).items()
        if coding in changes.get(CODINGS, content[CODINGS])
    }


def _start(path: Path, content: Content, coding: str, name: str) -> str:
    """Return the title of the variant to begin with; those that have no namesake begin with the base."""
    if coding not in content[CODINGS]:
        raise UsageError(f"{path}: {START} = {coding!r} is none of its codings, one of which was expected.")
    return f"{coding}/{name if name in _of_coding(content, coding) else content.get('base')}"


def _test_plan(path: Path, content: Content) -> TestPlan:
    unknown = sorted(set(content) - {field.name for field in fields(TestPlan)})
    if unknown:
        raise UsageError(f"{path}, [test]: nothing is called {unknown[0]!r}.")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    plan = TestPlan(**values)
    if plan.measured_by not in MEASURED_BY:
        raise UsageError(
            f"{path}, [test]: measured_by is {plan.measured_by!r}; one of {', '.join(MEASURED_BY)} was expected."
        )
    return plan


def _fits(variant: Variant, pattern: str) -> bool:
    return fnmatchcase(variant.name, pattern) or fnmatchcase(variant.title, pattern)
