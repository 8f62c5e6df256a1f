"""A bidirectional ConvLSTM of which only the middle frame's output is wanted, and nothing else is computed.

    z0 -> h0 -> z1, h0 -> h1+ \\
                               3x3 -> merged       (T = 3: the middle frame is 1)
    z2 -> h2 -> z1, h2 -> h1- /

One cell serves both directions. A convolution over cat(z, h) is the sum of one over z, which is the same in both
directions and computed once for each frame, and one over h, which is nothing at a direction's first frame: there the
state is zero, and what to forget of it need not be known either.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

N_GATES = 4  # input, forget, output, candidate: the order of the public checkpoints' channels


class BidirectionalCell(nn.Module):
    """The cell, and the convolution that merges its two directions; names are those of the public checkpoints."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.conv = nn.Conv2d(2 * channels, N_GATES * channels, 3, padding=1)
        self.conv_concat = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return both directions' hidden states at the middle one of an odd number of frames, merged.

        Args:
            features: of each frame, [N, C, H, W].
        """
        middle = len(features) // 2
        if not middle:  # both directions begin here, and end
            hidden, _ = self._first(features[0])
            return self._merged(hidden, hidden)
        of_middle = self._gates_of_input(features[middle])
        ways = (features[:middle], features[:middle:-1])
        forward, backward = (self._at_middle(before, of_middle) for before in ways)
        return self._merged(forward, backward)

    def _at_middle(self, before: Sequence[Tensor], of_middle: Tensor) -> Tensor:
        """Return one direction's hidden state at the middle frame; `before` are the frames on the way there."""
        hidden, cell = self._first(before[0])
        for features in before[1:]:
            hidden, cell = self._next(self._gates_of_input(features), hidden, cell)
        return self._next(of_middle, hidden, cell)[0]

    def _first(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden state and cell after a first frame: equations (3) to (5) of MGANet at a zero state."""
        kept = [part for number, part in enumerate(self._input_weights()) if number != 1]  # nothing to forget
        weight, bias = (torch.cat(parts) for parts in zip(*kept, strict=True))
        write, read, candidate = parted(F.conv2d(features, weight, bias, padding=1), N_GATES - 1)
        cell = torch.sigmoid(write) * torch.tanh(candidate)
        return torch.sigmoid(read) * torch.tanh(cell), cell

    def _next(self, gates_of_input: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden state and cell after another frame: equations (3) to (5)."""
        gates = gates_of_input + F.conv2d(hidden, self.conv.weight[:, self.channels :], padding=1)
        write, forget, read, candidate = parted(gates, N_GATES)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(write) * torch.tanh(candidate)
        return torch.sigmoid(read) * torch.tanh(cell), cell

    def _gates_of_input(self, features: Tensor) -> Tensor:
        return F.conv2d(features, self.conv.weight[:, : self.channels], self.conv.bias, padding=1)

    def _input_weights(self) -> list[tuple[Tensor, Tensor]]:
        """Return each gate's weights on a frame's features, [C, C, 3, 3], and its biases, [C]."""
        weights = self.conv.weight[:, : self.channels].chunk(N_GATES)
        return list(zip(weights, self.conv.bias.chunk(N_GATES), strict=True))

    def _merged(self, forward: Tensor, backward: Tensor) -> Tensor:
        merged: Tensor = self.conv_concat(torch.cat([forward, backward], 1))
        return merged


def parted(gates: Tensor, n_gates: int) -> list[Tensor]:
    """Return each gate's channels by themselves.

    Copied: where channels come last, sigmoid and tanh of a part took ten times as long as of a whole on a CPU.
    """
    return [gate.clone() for gate in gates.chunk(n_gates, 1)]


class BidirectionalConvLSTM(nn.Module):
    """One layer of such cells, named as in the public checkpoints."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cell_list = nn.ModuleList([BidirectionalCell(channels)])

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return what `BidirectionalCell` returns."""
        merged: Tensor = self.cell_list[0](features)
        return merged
