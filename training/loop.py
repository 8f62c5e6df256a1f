"""The training loop: batches in, a network and the moving average of its weights out."""

import contextlib
import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cvqe.errors import CvqeError
from training.batches import Batch, Prefetcher, Source
from training.processes import Place
from training.progress import Progress
from training.recipe import Recipe, ScheduleRecipe, recipe_as_mapping
from training.run_state import Files, save
from training.supervision import Supervised, Terms
from training.validation import Validation

DECAYS = ("cosine", "constant", "step")
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def rate_at(step: int, schedule: ScheduleRecipe) -> float:
    """Return the factor on the learning rate at a step, counted from 0: a linear start, then one of DECAYS.

    "cosine" falls to 0, "constant" stays at 1, "step" is a tenth from the middle of the schedule on.
    """
    if step < schedule.warm_up:
        return (step + 1) / schedule.warm_up
    if schedule.decay == "constant":
        return 1.0
    if schedule.decay == "step":
        return 1.0 if 2 * step < schedule.steps else 0.1
    progress = (step - schedule.warm_up) / max(schedule.steps - schedule.warm_up, 1)
    return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def on_device(network: nn.Module, device: torch.device) -> nn.Module:
    """Bring a network to a device, weights of 2D convolutions with their channels last; torch refuses 3D ones that."""
    network = network.to(device)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(memory_format=torch.channels_last)
    return network


class Trainer:
    """One network under training, and the moving average of its weights that is kept."""

    def __init__(self, network: nn.Module, recipe: Recipe, place: Place, teacher: nn.Module | None = None) -> None:
        self.recipe, self.place, self.step = recipe, place, 0
        self.network = on_device(network, place.device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        if teacher is not None:
            teacher = on_device(teacher, place.device).eval()
        schedule = recipe.schedule
        # at a constant rate no step depends on how many there are: a run may be gone on with for more
        n_steps = None if schedule.decay == "constant" else schedule.steps
        supervised: nn.Module = Supervised(self.network, recipe.loss, n_steps, recipe.run.seed, teacher)
        # a network's tensors that one configuration leaves unused would otherwise stop the reduction
        self.supervised = (
            DistributedDataParallel(supervised, find_unused_parameters=True) if place.n_processes > 1 else supervised
        )
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=recipe.schedule.rate)
        # half precision's small gradients would vanish; elsewhere the scale is 1
        self.scaler = torch.amp.GradScaler(place.device.type, enabled=recipe.run.precision == "fp16")

    def learn(self, batch: Batch) -> Terms:
        """Learn from one batch; returns the loss's parts.

        Raises:
            CvqeError: the loss is no longer a number.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.schedule.rate * rate_at(self.step, self.recipe.schedule)
        with self.autocast():
            loss, terms = self._losses(batch)
        if not math.isfinite(float(loss.detach())):
            raise CvqeError(
                f"the loss is {float(loss.detach())} at step {self.step}; lower schedule.rate, or compute in float32:  "
                "--set 'run.precision=\"fp32\"'"
            )
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.schedule.gradient_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        self._follow()
        return terms

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on, as tensors and plain values."""
        return {
            "recipe": recipe_as_mapping(self.recipe),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where another trainer of the same recipe stopped."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step = int(state["step"])

    def checkpoint(self) -> dict[str, Any]:
        """Return the averaged weights and what is known of them: what export and evaluation read."""
        network, data = self.recipe.network, self.recipe.data
        facts = {"network": network.name, "options": dict(network.options), "qp": list(data.qp), "step": self.step}
        facts["neighbors"] = data.neighbors
        return {**facts, "recipe": recipe_as_mapping(self.recipe), "state_dict": self.average.state_dict()}

    def _losses(self, batch: Batch) -> tuple[Tensor, Terms]:
        loss, terms = self.supervised(self._tensors(batch), self.step)
        return loss, terms

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the recipe's precision is computed."""
        dtype = AUTOCAST.get(self.recipe.run.precision)
        return torch.autocast(self.place.device.type, dtype) if dtype else contextlib.nullcontext()

    def _tensors(self, batch: Batch) -> dict[str, Tensor]:
        device = self.place.device
        parts = {name: part for name, part in vars(batch).items() if part is not None}
        tensors = {name: torch.from_numpy(part).to(device).float() for name, part in parts.items()}
        for name in tensors.keys() & {"window", "pristine", "guide"}:
            tensors[name] = (tensors[name] / 255).contiguous(memory_format=torch.channels_last)
        return tensors

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def _follow(self) -> None:
        """Move the average towards the network: fast at first, when what it holds is only the start."""
        decay = min(self.recipe.schedule.ema, self.step / (self.step + 10))
        kept, live = list(self.average.parameters()), list(self.network.parameters())
        torch._foreach_lerp_(kept, live, 1 - decay)
        for buffer, source in zip(self.average.buffers(), self.network.buffers(), strict=True):
            buffer.copy_(source)


def train(
    trainer: Trainer, source: Source, files: Files, validation: Validation | None, origin: Mapping[str, Any]
) -> None:
    """Train to the end of the schedule; a line, and files to go on from, at each interval.

    `origin` says what else the steps depend on, and is kept with the state.
    """
    run, size = trainer.recipe.run, trainer.recipe.schedule.batch
    with (
        Prefetcher(source, trainer.step, trainer.place.rank, size) as batches,
        Progress(files, trainer.recipe.schedule.steps, trainer.step, is_shown=trainer.place.is_first) as progress,
    ):
        while trainer.step < trainer.recipe.schedule.steps:
            terms = trainer.learn(batches.next())
            is_last = trainer.step == trainer.recipe.schedule.steps
            progress.add(terms, batches.waited_s)
            is_validated = validation is not None and (is_due(trainer.step, run.validate_every) or is_last)
            if is_due(trainer.step, run.log_every) or is_validated or is_last:
                progress.log(trainer.step, trainer.optimizer.param_groups[0]["lr"])
            if not trainer.place.is_first:
                continue
            if validation and is_validated:
                with trainer.autocast():
                    progress.validated(trainer.step, validation.gains(trainer.average))
            if is_due(trainer.step, run.save_every) or is_last:
                # the state last: a run that was killed between the two takes the step again
                save(trainer.checkpoint(), files.checkpoint)
                save({**trainer.state(), **origin}, files.state)


def is_due(step: int, every: int) -> bool:
    """Tell whether an interval ends at this step; 0 is never."""
    return every > 0 and step % every == 0
