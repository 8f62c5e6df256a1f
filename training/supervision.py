"""From a batch to one number to make small: the picture's loss, and what else a network can be told.

Networks that align frames learn to restore much sooner when they are told that where they look should show what the
target shows. That is judged on the pristine frames, which a network never sees: on decoded ones the coding errors would
drown it. The term fades, since the best place to sample for the
picture is not always where the motion leads.

A pristine target holds what no network can know, and a gain of 0.2 dB is a twentieth of it: most of a small batch's
gradient is noise. What a trained network makes of the same window is all learnable, so a teacher, even a smaller one,
gives a new network its start.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvqe.layers.motion_compensation import MotionCompensation
from cvqe.layers.warp import warp
from cvqe.models import hidden_channels, live, mganet, takes_guide, takes_qp, tgafnet
from cvqe.models.mfqe import MFQE
from cvqe.models.mfqe2 import MFQE2
from training.losses import PICTURE_LOSSES, PictureLoss, charbonnier, frame_relative
from training.recipe import LossRecipe

FADED = 0.2  # what is left of the alignment's weight
FADING_SHARE = 0.75  # of the steps, until it is faded
TAUGHT_SHARE = 0.8  # of the steps, until the teacher is silent
RIM_PX = 8  # of a patch, where displaced samples fall outside it

Terms = dict[str, Tensor]


class Supervised(nn.Module):
    """A network with its losses, as one module: what several processes share in DistributedDataParallel."""

    def __init__(
        self, network: nn.Module, loss: LossRecipe, n_steps: int | None, seed: int, teacher: nn.Module | None = None
    ) -> None:
        """Take a network to train, and one whose output it also learns from; that one does not learn.

        Args:
            n_steps: over which what else it is told than the picture fades; None where that stays.
        """
        super().__init__()
        self.network, self.loss, self.n_steps, self.seed = network, loss, n_steps, seed
        self.picture_loss = PICTURE_LOSSES[loss.picture]
        # in a tuple: its weights are not this module's, neither trained nor shared between processes
        self.teachers = (teacher,) if teacher is not None else ()

    def forward(self, batch: Mapping[str, Tensor], step: int) -> tuple[Tensor, Terms]:
        """Return the loss of a batch, as training/batches.py has it but in floats, luma in [0, 1], and its parts."""
        terms = self.terms(batch, step)
        loss = terms["picture"]
        if "alignment" in terms:
            loss = loss + self.loss.alignment * fading(step, self.n_steps) * terms["alignment"]
        if "distillation" in terms:
            loss = loss + self.loss.distillation * taught(step, self.n_steps) * terms["distillation"]
        return loss, {name: term.detach() for name, term in terms.items()}

    def terms(self, batch: Mapping[str, Tensor], step: int) -> Terms:
        """Return each loss by its name, unweighted; `error`, `decoded`: the squared one with and without a network."""
        window, frame_mse, radius = batch["window"], batch["frame_mse"], int(self.network.radius)
        target, pristine = (targets_of(clips, radius) for clips in (window, batch["pristine"]))
        if hidden_channels(self.network):
            enhanced, alignment = unrolled(self.network, window, batch["qp"]), None
            picture = self.picture_loss(enhanced.float(), pristine, frame_mse)
        elif isinstance(self.network, mganet.MGANet):
            images = self.network.images(window, batch.get("guide"))
            enhanced, alignment = images.enhanced, None
            picture = mganet_picture_loss(images, pristine, frame_mse, self.picture_loss)
        else:
            enhanced, alignment = self.look(window, batch["pristine"], batch["qp"], step)
            picture = self.picture_loss(enhanced.float(), pristine, frame_mse)
        terms = {
            "picture": picture,
            "error": frame_relative(enhanced.float(), pristine, frame_mse),
            "decoded": frame_relative(target.float(), pristine, frame_mse),
        }
        if alignment is not None:
            terms["alignment"] = alignment
        for teacher in self.teachers:
            with torch.no_grad():
                example = output_of(teacher, window, batch["qp"], batch.get("guide"))
            terms["distillation"] = frame_relative(enhanced.float(), example.float(), frame_mse)
        return terms

    def look(self, window: Tensor, pristine: Tensor, qp: Tensor, step: int) -> tuple[Tensor, Tensor | None]:
        """Return the enhanced target, and how badly the network aligned, if it can tell and is asked."""
        network = self.network
        if self.loss.alignment and isinstance(network, live.Live):
            sight = network.sight(window, qp)
            target = pristine[:, live.RADIUS, None]
            return sight.enhanced, live_alignment(sight, target, network.neighbors(pristine))
        if self.loss.alignment and isinstance(network, tgafnet.TGAFNet):
            seen = network.sight(window)
            return seen.enhanced, tgafnet_alignment(seen, pristine, np.random.default_rng((self.seed, step)))
        if self.loss.alignment and isinstance(network, MFQE | MFQE2):
            return output_of(network, window, qp), motion_alignment(network.motion, window, pristine)
        return output_of(network, window, qp), None


def output_of(network: nn.Module, window: Tensor, qp: Tensor, guide: Tensor | None = None) -> Tensor:
    """Return what a network makes of a window, told the QP and given the guided map if it wants them."""
    told = [qp] * takes_qp(network) + [guide] * takes_guide(network)
    enhanced: Tensor = network(window, *told)
    return enhanced


def targets_of(clips: Tensor, radius: int) -> Tensor:
    """Return the C targets of windows [N, 2R+C, H, W], those of a window one after another, [N * C, 1, H, W]."""
    return clips[:, radius : clips.shape[1] - radius].flatten(0, 1)[:, None]


def unrolled(network: nn.Module, window: Tensor, qp: Tensor) -> Tensor:
    """Run a recurrent network from a scene's beginning over a window [N, 2R+C, H, W]; returns its C targets, enhanced.

    Their order is that of `targets_of`; gradients go back through the hidden state.
    """
    n_windows, _, *size = window.shape
    n_frames = 2 * int(network.radius) + 1
    hidden = window.new_zeros(n_windows, hidden_channels(network), *size)
    told, seen = [qp] * takes_qp(network), []
    for frames in window.unfold(1, n_frames, 1).unbind(1):  # [N, H, W, 2R+1] of each target in turn
        enhanced, hidden = network(frames.movedim(-1, 1), *told, hidden)
        seen.append(enhanced)
    return torch.stack(seen, 1).flatten(0, 1)


def mganet_picture_loss(images: mganet.Images, pristine: Tensor, frame_mse: Tensor, loss: PictureLoss) -> Tensor:
    """Return the loss of the picture and 2^-i times that of every intermediate image: eq. (15), (16) of MGANet.

    Those are compared with means of the pristine target, [N, 1, H, W]; the finest has i = 1.
    """
    total = loss(images.enhanced, pristine, frame_mse)
    for i, (image, side_px) in enumerate(zip(images.intermediate, images.sides_px, strict=True), 1):
        total = total + 2.0**-i * loss(image, mganet.shrunk(pristine, side_px), frame_mse)
    return total


def fading(step: int, n_steps: int | None) -> float:
    """Return the factor on the alignment's weight: from 1 in a straight line down to FADED, 1 without an end."""
    return 1.0 if n_steps is None else max(FADED, 1 - (1 - FADED) * step / (FADING_SHARE * n_steps))


def taught(step: int, n_steps: int | None) -> float:
    """Return the factor on what a teacher says: from 1 in a straight line down to 0, then the student is on its own."""
    return 1.0 if n_steps is None else max(0.0, 1 - step / (TAUGHT_SHARE * n_steps))


def live_alignment(sight: live.Sight, target: Tensor, neighbors: Tensor) -> Tensor:
    """Compare the pristine neighbors [N, G, H, W], moved as each pass says, with the pristine target [N, 1, H, W]."""
    target, neighbors = live.whole_cells(target), live.whole_cells(neighbors)
    half_target, half_neighbors = F.avg_pool2d(target, 2), F.avg_pool2d(neighbors, 2)
    early = [charbonnier(warp(half_neighbors, passed), half_target) for passed in (sight.near, sight.far)]
    return charbonnier(warp(neighbors, sight.displacement), target) + torch.stack(early).mean()


def tgafnet_alignment(sight: tgafnet.Sight, pristine: Tensor, random: np.random.Generator) -> Tensor:
    """Compare the pristine pixel that one tap of each group's kernel samples with the pristine one under that tap.

    A random tap each time: all of them learn, at the cost of one. pristine: the window's frames, [N, 7, H, W].
    """
    target, losses = pristine[:, tgafnet.RADIUS, None], []
    for distance, offset_mask in zip(tgafnet.DISTANCES, sight.offset_masks, strict=True):
        n_taps = offset_mask.shape[1] // (3 * tgafnet.GROUP_FRAMES)
        kernel = round(n_taps**0.5)
        tap = int(random.integers(n_taps))
        dy, dx = tap // kernel - kernel // 2, tap % kernel - kernel // 2
        first, last = (offset_mask[:, 2 * (g * n_taps + tap) :][:, :2] for g in (0, 2))  # not the target itself
        displacement = torch.cat([first, last], 1).float() + first.new_tensor([dy, dx] * 2).float()[:, None, None]
        sampled = warp(
            pristine[:, tgafnet.RADIUS - distance : tgafnet.RADIUS + distance + 1 : 2 * distance], displacement
        )
        losses.append(charbonnier(_inside(sampled), _inside(torch.roll(target, (-dy, -dx), (2, 3)))))
    return torch.stack(losses).mean()


def motion_alignment(motion: MotionCompensation, window: Tensor, pristine: Tensor) -> Tensor:
    """Compare pristine neighbors, moved as their decoded versions tell, with the pristine target, [N, 3, H, W] both.

    MFQE's authors train its motion compensation on such a comparison, too. Without one its flows, whose unit is 64 px,
    left the patch, and a network of one frame was learned that fails on whole frames.
    """
    target, clean_target = window[:, 1:2], pristine[:, 1:2]
    losses = []
    for side in (0, 2):
        neighbor, clean = (frames[:, side : side + 1] for frames in (window, pristine))
        losses.append(charbonnier(_inside(motion.moved_like(target, neighbor, clean)), _inside(clean_target)))
    return torch.stack(losses).mean()


def _inside(picture: Tensor) -> Tensor:
    rim = min(RIM_PX, (min(picture.shape[-2:]) - 1) // 2)
    return picture[..., rim : picture.shape[-2] - rim, rim : picture.shape[-1] - rim]
