"""The training loop: windows in, a network and its moving average out."""

import copy
import csv
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from training.patches import PatchSampler

LOG_MSE_FLOOR = 1e-6  # 60 dB: a patch that is coded almost without loss
CHARBONNIER_EPSILON = 1e-3  # Lai et al., TPAMI 2019: rounds the tip of the L1 loss


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn."""

    steps: int = 38_000
    batch: int = 16
    rate: float = 1.5e-3
    warm_up: int = 500
    ema: float = 0.999
    gradient_norm: float = 0.2
    loss: str = "charbonnier"


def charbonnier(enhanced: Tensor, pristine: Tensor) -> Tensor:
    """Return mean sqrt(d^2 + eps^2) of two images in [0, 1] (Lai et al., TPAMI 2019, eq. 3)."""
    return torch.sqrt((enhanced - pristine) ** 2 + CHARBONNIER_EPSILON**2).mean()


def log_mse(enhanced: Tensor, pristine: Tensor) -> Tensor:
    """Return the mean over patches of log10 of their squared error: in tens of dB, what the tables count.

    Every patch weighs the same, so finely coded ones, whose errors are small, are not smoothed for the coarse ones'
    sake.
    """
    return torch.log10(((enhanced - pristine) ** 2).mean((1, 2, 3)) + LOG_MSE_FLOOR).mean()


LOSSES = {"charbonnier": charbonnier, "log-mse": log_mse}


def rate_at(step: int, schedule: Schedule) -> float:
    """Return the factor on the learning rate: a linear start, then half a cosine down to zero."""
    if step < schedule.warm_up:
        return (step + 1) / schedule.warm_up
    progress = (step - schedule.warm_up) / max(schedule.steps - schedule.warm_up, 1)
    return float(0.5 * (1 + torch.cos(torch.tensor(progress * torch.pi))))


class Trainer:
    """One network under training, and the moving average of its weights that is kept."""

    def __init__(self, network: nn.Module, sampler: PatchSampler, schedule: Schedule, card: Mapping[str, Any]):
        self.network = network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(network).eval()
        self.sampler, self.schedule, self.card = sampler, schedule, dict(card)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=schedule.rate)
        self.rates = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: rate_at(step, schedule))

    def step(self) -> float:
        """Learn from one batch and return its loss."""
        window, pristine = (
            torch.from_numpy(part.copy()).float() / 255 for part in self.sampler.batch(self.schedule.batch)
        )
        with torch.autocast("cpu", torch.bfloat16):
            enhanced = self.network(window.to(memory_format=torch.channels_last))
        loss = LOSSES[self.schedule.loss](enhanced.float(), pristine)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.gradient_norm)
        self.optimizer.step()
        self.rates.step()
        self.follow()
        return float(loss.item())

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def follow(self) -> None:
        """Move the average a step towards the network."""
        for kept, live in zip(self.average.parameters(), self.network.parameters(), strict=True):
            kept.lerp_(live, 1 - self.schedule.ema)

    def run(self, checkpoint: Path, every: int = 1000) -> None:
        """Train to the end of the schedule; a checkpoint and a line of the log at each interval."""
        log = checkpoint.with_suffix(".csv")
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        start, losses = time.monotonic(), list[float]()
        with log.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["step", "loss", "elapsed_s"])
            for step in range(1, self.schedule.steps + 1):
                losses.append(self.step())
                if step % every == 0 or step == self.schedule.steps:
                    rows.writerow([step, f"{fmean(losses):.6f}", f"{time.monotonic() - start:.0f}"])
                    file.flush()
                    self.save(checkpoint, step)
                    losses.clear()

    def save(self, path: Path, step: int) -> None:
        """Write the averaged weights and what is known of them under the final name once they are whole."""
        unfinished = path.with_suffix(".tmp")
        progress = {"step": step, "schedule": asdict(self.schedule)}
        torch.save({**self.card, **progress, "state_dict": self.average.state_dict()}, unfinished)
        unfinished.rename(path)
