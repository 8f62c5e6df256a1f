"""What a training can teach: windows here and there, with targets one after another where there is a state."""

from torch import nn

from cvqe.errors import UsageError
from cvqe.models import hidden_channels
from cvqe.neighbors import ADJACENT, checked_neighbors
from training.recipe import Recipe


def check_trainable(network: nn.Module, recipe: Recipe) -> None:
    """Refuse a recipe whose windows are none for its network.

    Raises:
        ModelError: there are no such neighbors for this radius.
        UsageError: a recurrent network would never see what it left behind, another one is given several targets, or
            they are not to be had with these neighbors.
    """
    checked_neighbors(recipe.data.neighbors, int(network.radius))
    name, n_targets = recipe.network.name, recipe.data.consecutive
    if hidden_channels(network) and n_targets == 1:
        raise UsageError(
            f"{name} goes on from frame to frame, and data.consecutive = 1 shows it one target at a time; some targets "
            "one after another were expected:  --set data.consecutive=4"
        )
    if n_targets > 1 and not hidden_channels(network):
        raise UsageError(
            f"data.consecutive = {n_targets} is for networks with a hidden state, and {name} has none; 1 was expected."
        )
    if n_targets > 1 and recipe.data.neighbors != ADJACENT:
        raise UsageError(
            f"data.neighbors = {recipe.data.neighbors!r} with {n_targets} targets one after another; {ADJACENT!r} was "
            "expected, whose windows overlap."
        )
