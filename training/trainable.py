"""What a training can teach: windows are drawn here and there, each by itself, and nobody reads a bitstream."""

from torch import nn

from cvqe.errors import UsageError
from cvqe.models import hidden_channels
from cvqe.neighbors import ADJACENT, LOW_DELAY, PEAK_QUALITY, checked_neighbors


def check_trainable(network: nn.Module, name: str, neighbors: str) -> None:
    """Refuse a network or a choice of neighbors that needs more than a window.

    Raises:
        ModelError: there are no such neighbors for this radius.
        UsageError: the network is recurrent, or its neighbors are chosen by the QPs of frames.
    """
    checked_neighbors(neighbors, int(network.radius))
    if hidden_channels(network):
        raise UsageError(
            f"{name} goes on from frame to frame, and windows are drawn one by one; a network without a hidden state "
            "was expected. Export a public checkpoint of it:  python export/to_onnx.py --checkpoint FILE"
        )
    if neighbors == PEAK_QUALITY:
        raise UsageError(
            f"data.neighbors = {neighbors!r} are chosen by the QPs of frames, which training data does not hold; "
            f"{ADJACENT} or {LOW_DELAY} was expected."
        )
