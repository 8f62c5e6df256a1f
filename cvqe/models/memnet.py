"""MemNet: memory blocks whose gates choose among everything seen so far; every block draws a picture.

    frame -> first -> memory block -> ... -> memory block -> gate over its own units and all blocks before
                           \\                     \\
                            -> picture 1 -- ... --> picture M -> weighted sum

"MemNet: A Persistent Memory Network for Image Restoration", Tai et al., ICCV 2017: M6R6, 695,497 parameters. Equation
numbers are the paper's. Every convolution stands behind its batch norm and ReLU.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cvqe.layers.convolutions import conv


class PreActivated(nn.Module):
    """A convolution's batch norm and ReLU, before it; the convolution may be another layer's too."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, layer: nn.Module) -> Tensor:
        """Return layer(x), x [N, C, H, W] normalised and rectified first."""
        y: Tensor = layer(torch.relu(self.norm(x)))
        return y


class RecursiveUnit(nn.Module):
    """A residual unit run several times: the same two convolutions each time, batch norms of its own each: eq. (5)."""

    def __init__(self, channels: int, runs: int) -> None:
        super().__init__()
        self.first, self.second = conv(channels, channels), conv(channels, channels)
        self.before_first = nn.ModuleList([PreActivated(channels) for _ in range(runs)])
        self.before_second = nn.ModuleList([PreActivated(channels) for _ in range(runs)])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return what every run made of x [N, C, H, W], in order."""
        made = list[Tensor]()
        for before_first, before_second in zip(self.before_first, self.before_second, strict=True):
            x = x + before_second(before_first(x, self.first), self.second)
            made.append(x)
        return made


class MemoryBlock(nn.Module):
    """A recursive unit, and a gate that mixes its short-term memory with what all blocks before kept: eq. (8)."""

    def __init__(self, channels: int, runs: int, n_before: int) -> None:
        super().__init__()
        self.unit = RecursiveUnit(channels, runs)
        n_seen = channels * (runs + n_before)
        self.before_gate, self.gate = PreActivated(n_seen), conv(n_seen, channels, 1)

    def forward(self, long_term: Sequence[Tensor]) -> Tensor:
        """Continue from the last of the earlier memories, [N, C, H, W] each."""
        short_term = self.unit(long_term[-1])
        kept: Tensor = self.before_gate(torch.cat([*short_term, *long_term], 1), self.gate)
        return kept


class MemNet(nn.Module):
    """Enhance one frame by itself."""

    radius = 0

    def __init__(self, blocks: int = 6, runs: int = 6, channels: int = 64) -> None:
        """Build with fresh weights.

        Args:
            blocks: M, memory blocks.
            runs: R, of each block's recursive unit.
            channels: of all features.
        """
        super().__init__()
        self.before_first, self.first = PreActivated(1), conv(1, channels)
        self.blocks = nn.ModuleList([MemoryBlock(channels, runs, n_before) for n_before in range(1, blocks + 1)])
        self.before_picture = nn.ModuleList([PreActivated(channels) for _ in range(blocks)])
        self.picture = conv(channels, 1)
        self.shares = nn.Parameter(torch.full((blocks,), 1 / blocks))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise after He et al., ICCV 2015, as the paper does; biases start at 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, window: Tensor) -> Tensor:
        """Enhance a frame [N, 1, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped.

        It is the learned sum of the blocks' pictures, whose shares need not add up to 1: eq. (11).
        """
        kept = self.memories(window.to(self.first.weight.dtype))
        drawn = [before(memory, self.picture).float() for before, memory in zip(self.before_picture, kept, strict=True)]
        pictures = torch.cat([window.float() + lacking for lacking in drawn], 1)
        return (pictures * self.shares.float()[:, None, None]).sum(1, keepdim=True)

    def memories(self, frame: Tensor) -> list[Tensor]:
        """Return what every block keeps of a frame [N, 1, H, W]."""
        memories = [self.before_first(frame, self.first)]
        for block in self.blocks:
            memories.append(block(memories))
        return memories[1:]
