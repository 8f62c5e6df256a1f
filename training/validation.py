"""The gain on clips that are held back from a training."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np
import torch
from torch import nn

from cvqe.metrics import psnr_db
from cvqe.models import hidden_channels, takes_guide
from cvqe.neighbors import ADJACENT
from training.clip_pairs import ClipPair, distances_of
from training.guides import transform_guide
from training.patches import window_frames
from training.supervision import output_of, unrolled

FRAMES_OF_A_CLIP = 4
RUN_IN = 3  # frames before, from which a recurrent network goes on


class Validation:
    """Whole frames of held-back clips, enhanced now and then."""

    def __init__(self, pairs: Sequence[ClipPair], neighbors: str = ADJACENT) -> None:
        self.pairs, self.neighbors = pairs, neighbors

    def gains(self, network: nn.Module) -> dict[int, float]:
        """Return the mean gain in dB at each QP, over a few frames of every clip."""
        gains: dict[int, list[float]] = {}
        for pair in self.pairs:
            for t in np.linspace(0, len(pair.pristine) - 1, FRAMES_OF_A_CLIP + 2).astype(int)[1:-1]:
                gains.setdefault(pair.qp, []).append(frame_gain_db(network, pair, int(t), self.neighbors))
        return {qp: fmean(values) for qp, values in sorted(gains.items())}


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
def frame_gain_db(network: nn.Module, pair: ClipPair, t: int, neighbors: str = ADJACENT) -> float:
    """Return what a network gains on one whole frame, rounded to 8 bits as in the runtime; autocast is the caller's."""
    device = next(network.parameters()).device
    is_recurrent = bool(hidden_channels(network))
    first = max(t - RUN_IN, 0) if is_recurrent else t
    apart = distances_of(pair, t, neighbors)
    numbers = window_frames(first, int(network.radius), len(pair.decoded), apart, n_targets=t - first + 1)
    window = torch.from_numpy(np.ascontiguousarray(pair.decoded[numbers])).to(device)[None].float() / 255
    qp = torch.full((1,), float(pair.qp), device=device)
    if is_recurrent:
        enhanced = unrolled(network, window, qp)[-1:]
    else:
        enhanced = output_of(network, window, qp, _guide_of(pair, t).to(device) if takes_guide(network) else None)
    levels = (enhanced[0, 0].float() * 255).round().clamp(0, 255).byte().cpu().numpy()
    before, after = (psnr_db(pair.pristine[t], plane) for plane in (pair.decoded[t], levels))
    return after - before if np.isfinite(before) and np.isfinite(after) else 0.0


def _guide_of(pair: ClipPair, t: int) -> torch.Tensor:
    return torch.from_numpy(transform_guide(pair, t))[None, None] / 255
