"""Cut training windows into packs that a training on another machine needs nothing else for.

$ python training/pack.py --config training/configs/tgafnet.toml CLIPS --coded data/train --output out/windows_{}.npz
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError, UsageError
from cvqe.models import create, takes_guide
from training.clip_pairs import load_pairs
from training.recipe import load_recipe, with_overrides
from training.run import checked, loaders, patch_source
from training.trainable import check_trainable
from training.window_pack import save_windows


@dataclass(frozen=True)
class Packing:
    """What to cut, how many, and where to."""

    config: Path
    clips: Path
    coded: Path
    output: str
    packs: int = 1
    windows: int = 1000
    seed: int = 0
    overrides: tuple[str, ...] = ()
    cache: Path | None = None


def pack(options: Packing) -> list[Path]:
    """Write the packs, each with other windows, and return their paths.

    Raises:
        UsageError: several packs would have one name.
        InputError: the clips can't be read.
    """
    if options.packs > 1 and "{}" not in options.output:
        raise UsageError(f"{options.output} is one name for {options.packs} packs; put {{}} where the number goes.")
    recipe = checked(with_overrides(load_recipe(options.config), list(options.overrides)))
    network = create(recipe.network.name, **recipe.network.options)
    check_trainable(network, recipe)
    radius, is_guided = int(network.radius), takes_guide(network)
    load = loaders(options.cache or options.coded / "cache", is_guided, recipe.data.neighbors)
    pairs = load_pairs(options.clips, options.coded, recipe.data, load)
    seeds = range(options.seed, options.seed + options.packs)
    sources = [patch_source(pairs, radius, recipe.data, seed, is_guided) for seed in seeds]
    return [
        save_windows(source, options.windows, Path(options.output.format(f"{number:03d}")), recipe.data)
        for number, source in enumerate(sources)
    ]


def parse_args(argv: list[str] | None = None) -> Packing:
    """Read the command line; unset options keep Packing's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of pristine .mkv clips")
    parser.add_argument("--config", type=Path, required=True, help="recipe whose data and patch size to use")
    parser.add_argument("--coded", type=Path, required=True, help="folder that training/compress.py wrote")
    parser.add_argument("--output", required=True, help="pack to write, .npz; {} stands for its number")
    parser.add_argument("--packs", type=int, default=Packing.packs, help="how many [%(default)s]")
    parser.add_argument("--windows", type=int, default=Packing.windows, help="windows in each [%(default)s]")
    parser.add_argument("--seed", type=int, default=Packing.seed, help="other seeds cut other windows [%(default)s]")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--cache", type=Path, help="folder for decoded clips [CODED/cache]")
    return Packing(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Write the packs; our own errors become one message."""
    try:
        for path in pack(parse_args(argv)):
            print(path)
    except CvqeError as error:
        print(f"pack: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
