"""One run of a training: its data, its network, its files."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import InputError, UsageError
from cvqe.models import create, hidden_channels, takes_guide
from cvqe.neighbors import PEAK_QUALITY
from training.array_cache import luma_cache, qp_cache
from training.batches import Source
from training.clip_pairs import ClipPair, Loaders, load_pairs, load_validation
from training.guides import Guides
from training.loop import DECAYS, Trainer, train
from training.partition_cache import PartitionCache
from training.patches import PatchSource
from training.processes import Place, joined
from training.recipe import DataRecipe, Recipe, load_recipe, with_overrides
from training.run_state import Files, load_state
from training.starts import STARTS
from training.trainable import check_trainable
from training.validation import Validation
from training.window_pack import PackedWindows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """What to train, on what, and where to keep it."""

    config: Path
    output: Path
    clips: Path | None = None
    coded: Path | None = None
    windows: tuple[Path, ...] = ()
    resume: bool = False
    init: Path | None = None
    overrides: tuple[str, ...] = ()
    cache: Path | None = None
    device: str = "auto"
    threads: int = 0
    first_step: int = 0  # that `init` was trained for already


def run_training(options: Training) -> Path:
    """Run a recipe to its end and return the checkpoint's path.

    Raises:
        CvqeError: the recipe, the data or the files can't be what they are asked to be.
    """
    recipe = checked(with_overrides(load_recipe(options.config), list(options.overrides)))
    files = Files(options.output)
    _check_files(options, files)
    if options.threads:
        torch.set_num_threads(options.threads)
    with joined(options.device) as place:
        trainer = _trainer(options, recipe, place)
        check_trainable(trainer.network, recipe)
        source, validation = _data(options, recipe, trainer.network)
        origin = {"data": source.facts(), "processes": place.n_processes}
        if options.resume:
            trainer.load_state(load_state(files.state, recipe, origin))
        train(trainer, source, files, validation, origin)
    return files.checkpoint


def checked(recipe: Recipe) -> Recipe:
    """Return the recipe if its words mean something.

    Raises:
        UsageError: they don't.
    """
    from training.losses import PICTURE_LOSSES

    for what, value, known in (
        ("loss.picture", recipe.loss.picture, PICTURE_LOSSES),
        ("network.start", recipe.network.start, STARTS),
        ("schedule.decay", recipe.schedule.decay, DECAYS),
        ("run.precision", recipe.run.precision, ("fp32", "bf16", "fp16")),
    ):
        if value not in known:
            raise UsageError(f"{what} is {value!r}; choose one of {', '.join(known)}.")
    if not 0 <= recipe.data.fixed_grid_share <= 1:
        raise UsageError(f"data.fixed_grid_share is {recipe.data.fixed_grid_share}; a share from 0 to 1 was expected.")
    schedule, data = recipe.schedule, recipe.data
    if min(schedule.steps, schedule.batch, data.patch_px, data.consecutive) < 1:
        raise UsageError("schedule.steps, schedule.batch, data.patch_px and data.consecutive must be 1 or more.")
    if schedule.batch % data.consecutive:
        raise UsageError(
            f"schedule.batch is {schedule.batch} targets, which is no whole number of windows with {data.consecutive} "
            "targets each (data.consecutive); a multiple was expected."
        )
    return recipe


def _check_files(options: Training, files: Files) -> None:
    if options.windows and (options.clips or options.coded):
        raise UsageError("give either clips with --coded, or --windows.")
    if not options.windows and not (options.clips and options.coded):
        raise UsageError("give the pristine clips and --coded FOLDER, or --windows PACK...")
    if options.resume and not files.state.exists():
        raise InputError(f"{files.state} holds no state to go on from: it is not there; start anew without --resume.")
    if files.state.exists() and not options.resume:
        raise UsageError(f"{files.state} is there from an earlier run. Go on:  --resume     or name another --output.")


def _trainer(options: Training, recipe: Recipe, place: Place) -> Trainer:
    torch.manual_seed(recipe.run.seed)  # every process starts with the same weights
    network = create(recipe.network.name, **recipe.network.options)
    STARTS[recipe.network.start](network)
    if options.init and not options.resume:  # a resumed run brings its own
        take_weights(network, options.init, recipe.network.name)
    trainer = Trainer(network, recipe, place, teacher_of(recipe))
    trainer.step = options.first_step
    return trainer


def teacher_of(recipe: Recipe) -> nn.Module | None:
    """Load the network that a recipe learns from, if it names one.

    Raises:
        InputError: the file can't be read.
        ModelError: it holds no network of ours.
        UsageError: only one of loss.teacher and loss.distillation is given, or the teacher alone takes a guided map.
    """
    loss = recipe.loss
    if bool(loss.teacher) != bool(loss.distillation):
        raise UsageError("a recipe needs both of loss.teacher and loss.distillation, or neither.")
    if not loss.teacher:
        return None
    teacher = network_from_checkpoint(load_checkpoint(Path(loss.teacher)))
    if takes_guide(teacher) and not takes_guide(create(recipe.network.name, **recipe.network.options)):
        raise UsageError(f"{loss.teacher} takes a guided map and {recipe.network.name} does not; name another teacher.")
    if hidden_channels(teacher):
        raise UsageError(f"{loss.teacher} goes on from frame to frame; name a teacher that sees a window alone.")
    return teacher


def take_weights(network: nn.Module, origin: Path, name: str) -> None:
    """Load every weight of a checkpoint that fits; a wider or deeper preset starts from a smaller one's motion search.

    Raises:
        UsageError: none fits.
    """
    own = network.state_dict()
    found = {
        key: value
        for key, value in load_checkpoint(origin).state_dict.items()
        if key in own and own[key].shape == value.shape
    }
    if not found:
        raise UsageError(f"{origin} holds no weights of {name}.")
    network.load_state_dict(found, strict=False)
    left = [key for key in own if key not in found]
    log.info("%d of %d tensors from %s%s", len(found), len(own), origin, f"; fresh: {', '.join(left)}" if left else "")


def _data(options: Training, recipe: Recipe, network: nn.Module) -> tuple[Source, Validation | None]:
    data, seed, radius, is_guided = recipe.data, recipe.run.seed, int(network.radius), takes_guide(network)
    if options.windows:
        log.info("packs hold no whole clips: nothing is held back to validate on")
        return PackedWindows(options.windows, radius, data, seed, is_guided), None
    assert options.clips and options.coded  # _check_files
    load = loaders(options.cache or options.coded / "cache", is_guided, data.neighbors)
    held_back = load_validation(options.clips, options.coded, data, load)
    source = patch_source(load_pairs(options.clips, options.coded, data, load), radius, data, seed, is_guided)
    return source, Validation(held_back, data.neighbors) if held_back else None


def loaders(cache: Path, is_guided: bool, neighbors: str) -> Loaders:
    """Return what reads clips once and keeps them in a folder."""
    transforms = PartitionCache(cache).load if is_guided else None
    return Loaders(luma_cache(cache).load, transforms, qp_cache(cache).load if neighbors == PEAK_QUALITY else None)


def patch_source(pairs: list[ClipPair], radius: int, data: DataRecipe, seed: int, is_guided: bool) -> PatchSource:
    """Return windows as a recipe asks for them."""
    guides = Guides(data.fixed_grid_share) if is_guided else None
    return PatchSource(pairs, radius, data, seed, guides)
