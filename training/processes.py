"""One training in several processes, as torchrun starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from cvqe.errors import BackendError


@dataclass(frozen=True)
class Place:
    """Which of how many processes this is, and its device."""

    rank: int
    n_processes: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """The one process that writes files and lines."""
        return self.rank == 0


@contextmanager
def joined(device: str) -> Iterator[Place]:
    """Join the group that torchrun's environment names; alone without one.

    Args:
        device: "auto" (a GPU where there is one), "cpu", or "cuda": each local process takes the GPU of its number.
    """
    rank, n_processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    place = Place(rank, n_processes, _device(device))
    if place.device.type == "cuda":
        torch.cuda.set_device(place.device)
    if n_processes > 1:
        # the others wait while the first one validates
        distributed.init_process_group("nccl" if place.device.type == "cuda" else "gloo", timeout=timedelta(hours=1))
    try:
        yield place
    finally:
        if n_processes > 1:
            distributed.destroy_process_group()


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            "torch sees no GPU here, so --device cuda can't be used. Train on what is here:  --device cpu"
        )
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    return torch.device(kind, int(os.environ.get("LOCAL_RANK", "0"))) if kind == "cuda" else torch.device(kind)
