"""Live: real-time enhancement with what the next frames know, aligned at full resolution.

    frames -> motion search, 1/16 and 1/8 grids -> displacement
                                                       |
    frames t+1, t+3 <------- warp at full size --------/
        \\-> head, 1/4 grid -> + shift(QP) -> body -> tail -> * strength(QP) -> shuffle 4 -> residual

In a low-delay stream the frames to come hold what the target lacks: the coder has sent the same surface again, finer.
Averaging motion-compensated frames t+1 and t+3 alone gained 0.22 dB on training clips at QP 37, two frames before the
target 0.04 dB (benchmarks/bench_neighbors.py): the coder has used those already. So only the target and the three
frames after it are read.

All layers work on grids of 4, 8 and 16 pixels: a CPU spends its time on the traffic of full-size tensors, and
only two warps and one sum are made at that size.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvqe.layers.warp import warp

RADIUS = 3
CELL = 4  # pixels across one position of the grid that enhances
MOTION_CELL = 8  # of the fine displacement; the coarse one's is twice as wide
MULTIPLE = 16
MARGIN = 2  # what an 8x8 kernel reaches beyond its 4x4 pixels
LEVELS = 255.0  # first layers see 8-bit levels: whole numbers, exact in bfloat16
DETAIL_GAIN = 4.0 / LEVELS  # brings differences, mostly below a tenth of the range, near unit variance
QP_MIDDLE, QP_SPAN = 32.0, 10.0


class Sight(NamedTuple):
    """What the network returns and where it looked, for the losses of a training."""

    enhanced: Tensor  # [N, 1, H, W] in [0, 1], not clamped
    displacement: Tensor  # of each neighbor, (dy, dx) in pixels, [N, 2G, H16, W16]; H16 is H in whole cells of 16
    near: Tensor  # what the second pass had found, in pixels of half size, [N, 2G, H16/2, W16/2]
    far: Tensor  # what the first pass had found, likewise


class DifferenceConv2d(nn.Module):
    """A strided convolution over frames whose kernels see only differences to the first one, never brightness.

    The other frames, and planes aligned with the first, enter as differences to it; it enters as its detail (its kernel
    has no mean). All of that is linear, so it acts on the weights: frames are read once, as they are. On raw pixels a
    residual of a few levels hides behind the picture's brightness, and training does not start.
    """

    def __init__(self, channels: int, n_frames: int, n_aligned: int, stride: int, shrink: int = 1) -> None:
        """Take frames [N, n_frames, H, W], and n_aligned planes that are `shrink` times smaller."""
        super().__init__()
        self.stride, self.shrink = stride, shrink
        size = MOTION_CELL
        spread = (size**2 * (1 + n_aligned)) ** -0.5
        self.weight = nn.Parameter(spread * torch.randn(channels, n_frames, size, size))
        self.weight.data[:, 1:].mul_(0.3)  # frames that are not aligned say little
        self.bias = nn.Parameter(torch.zeros(channels))
        if n_aligned:
            small = size // shrink
            self.aligned = nn.Parameter(spread * shrink * torch.randn(channels, n_aligned, small, small))

    def forward(self, frames: Tensor, aligned: Tensor | None = None) -> Tensor:
        """Convolve frames [N, T, H, W], and planes [N, G, H/shrink, W/shrink], both in levels and unpadded."""
        y = F.conv2d(frames, self.kernel(), self.bias, self.stride)
        if aligned is None:
            return y
        return y + F.conv2d(aligned, DETAIL_GAIN * self.aligned, None, self.stride // self.shrink)

    def kernel(self) -> Tensor:
        """Return the kernel for plain frames in levels, [C, T, 8, 8]."""
        target, others = self.weight[:, :1], self.weight[:, 1:]
        target = target - target.mean((2, 3), keepdim=True) - others.sum(1, keepdim=True)
        if hasattr(self, "aligned"):
            seen = self.aligned.sum(1, keepdim=True).repeat_interleave(self.shrink, 2)
            target = target - seen.repeat_interleave(self.shrink, 3) / self.shrink**2
        return DETAIL_GAIN * torch.cat([target, others], 1)


class Displacement(nn.Module):
    """Features of one grid to a (dy, dx) for every pixel of each neighbor; within a cell all start alike."""

    def __init__(self, channels: int, n_neighbors: int, cell: int, unit: float) -> None:
        super().__init__()
        self.cell, self.unit, self.n_channels = cell, unit, 2 * n_neighbors
        weight = 0.02 * torch.randn(2 * n_neighbors, channels, 1, 1)
        self.weight = nn.Parameter(weight.repeat_interleave(cell**2, 0))
        self.bias = nn.Parameter(torch.zeros(len(self.weight)))

    def forward(self, features: Tensor) -> Tensor:
        """Return the displacement [N, 2G, cell*h, cell*w] for features [N, C, h, w]."""
        return F.pixel_shuffle(self.of_cells(features), self.cell)

    def of_cells(self, features: Tensor, every: int = 1) -> Tensor:
        """Return the same of every so many pixels, not yet in their places, [N, 2G*(cell/every)^2, h, w]."""
        weight, bias = (self._of_pixels(parameter, every) for parameter in (self.weight, self.bias))
        return F.conv2d(features, self.unit * weight, self.unit * bias)

    def _of_pixels(self, parameter: Tensor, every: int) -> Tensor:
        of_cell = parameter.unflatten(0, (self.n_channels, self.cell, self.cell))
        return of_cell[:, ::every, ::every].flatten(0, 2)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus its refinement, in the shape of x."""
        refined: Tensor = self.second(F.leaky_relu(self.first(x), 0.1))
        return x + refined


class MotionSearch(nn.Module):
    """Where each neighbor shows what the target shows: from afar, then twice again on what is left.

    frames -> 1/16 grid -> displacement -> warp quarter size -> 1/16 grid -> + -> warp half size -> 1/8 grid -> fine
    """

    def __init__(self, channels: int, n_frames: int, step: int) -> None:
        super().__init__()
        self.step = step
        n_neighbors = len(range(1, n_frames, step))
        self.far_look = DifferenceConv2d(32, n_frames, 0, MOTION_CELL)
        self.far_features = nn.Sequential(
            nn.LeakyReLU(0.1),
            *conv_leaky(32, channels, stride=2),
            *conv_leaky(channels, channels),
            *conv_leaky(channels, channels),
            ResidualBlock(channels),
            nn.LeakyReLU(0.1),
        )
        self.far = Displacement(channels, n_neighbors, MOTION_CELL, unit=4.0)
        self.near_look = DifferenceConv2d(48, 1, n_neighbors, CELL)
        self.near_features = nn.Sequential(
            *conv_leaky(48 + channels, channels),
            *conv_leaky(channels, channels),
            ResidualBlock(channels),
            nn.LeakyReLU(0.1),
        )
        self.near = Displacement(channels, n_neighbors, MOTION_CELL, unit=2.0)
        self.fine_look = DifferenceConv2d(48, n_frames, n_neighbors, MOTION_CELL, shrink=2)
        self.memory = nn.Conv2d(channels, 4 * 16, 1)
        self.fine_features = nn.Sequential(
            nn.LeakyReLU(0.1),
            *conv_leaky(48 + 16, channels),
            *conv_leaky(channels, channels),
            ResidualBlock(channels),
            nn.LeakyReLU(0.1),
        )
        self.fine = Displacement(channels + 2 * n_neighbors, n_neighbors, MOTION_CELL, unit=1.0)

    def reset_parameters(self) -> None:
        """Let every pass start as what the one before it found."""
        nn.init.zeros_(self.near.weight)
        with torch.no_grad():
            n_features = self.fine.weight.shape[1] - self.far.n_channels
            self.fine.weight[:, n_features:] = 0
            for i, cell in enumerate(self.fine.weight.chunk(self.far.n_channels)):
                cell[:, n_features + i] = 1.0

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Search every step-th frame after the first for what the first shows; [N, T, H, W], levels, whole cells.

        Returns:
            the displacement in pixels, [N, 2G, H, W]; what the first two passes had found, in pixels of half size,
            [N, 2G, H/2, W/2]; and the features that the first one, `far`, reads.
        """
        half = halved(frames)
        from_afar = self.far_features(self.far_look(frames))
        nearby = self.near_features(self._look_near(half, from_afar))
        near = F.pixel_shuffle(self.far.of_cells(from_afar) + self.near.of_cells(nearby), MOTION_CELL)
        # half-size pixels of every fourth place are full-size pixels, halved, of every cell of the 1/8 grid; computed
        # again, since to take them from the whole would be to move the whole first
        so_far = 2 * F.pixel_shuffle(self.far.of_cells(from_afar, 4) + self.near.of_cells(nearby, 4), MOTION_CELL // 4)
        closely = self._look_closely(frames, half, near, from_afar)
        return self.fine(torch.cat([closely, so_far], 1)), near, from_afar

    def _look_near(self, half: Tensor, features: Tensor) -> Tensor:
        quarter = halved(half)
        far = F.pixel_shuffle(self.far.of_cells(features, 2), MOTION_CELL // 2) / 2
        moved = warp(quarter[:, 1 :: self.step].float(), far.float()).to(half.dtype)
        look = self.near_look(with_margin(quarter[:, :1]), with_margin(moved))
        return torch.cat([F.leaky_relu(look, 0.1), features], 1)

    def _look_closely(self, frames: Tensor, half: Tensor, near: Tensor, features: Tensor) -> Tensor:
        moved = warp(half[:, 1 :: self.step].float(), near.float()).to(frames.dtype)
        look = torch.cat([self.fine_look(frames, moved), F.pixel_shuffle(self.memory(features), 2)], 1)
        seen: Tensor = self.fine_features(look)
        return seen


class Condition(nn.Module):
    """What the quantiser asks of the layers: a shift of the head's features, and the residual's strength."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.describe = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.1), nn.Linear(64, 64), nn.LeakyReLU(0.1))
        self.shift, self.strength = nn.Linear(64, channels), nn.Linear(64, CELL**2)
        for layer in (self.shift, self.strength):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, qp: Tensor) -> tuple[Tensor, Tensor]:
        """Return the shift [N, C, 1, 1] and the strength [N, 16, 1, 1] for quantisers [N]."""
        z = (qp - QP_MIDDLE) / QP_SPAN
        described = self.describe(torch.stack([z, z * z], 1).to(self.shift.weight.dtype))
        return self.shift(described)[:, :, None, None], 1 + self.strength(described)[:, :, None, None]


class Live(nn.Module):
    """Enhance the middle frame of seven, coded at a QP that is told."""

    radius = RADIUS
    takes_qp = True  # forward(window, qp)

    def __init__(self, channels: int = 64, blocks: int = 1, motion: int = 64, step: int = 2) -> None:
        """Build with fresh weights.

        Args:
            channels: of the 1/4 grid, where the picture is enhanced.
            blocks: residual blocks there.
            motion: channels of the 1/8 and 1/16 grids, where motion is searched.
            step: neighbors are the target's next frame and every step-th one after it, up to the third.
        """
        super().__init__()
        self.step = step
        n_frames = RADIUS + 1
        n_neighbors = len(range(1, n_frames, step))
        self.motion = MotionSearch(motion, n_frames, step)
        self.condition = Condition(channels)
        self.head = DifferenceConv2d(channels, n_frames, n_neighbors, CELL)
        self.body = nn.Sequential(*[ResidualBlock(channels) for _ in range(blocks)])
        self.tail = nn.Conv2d(channels, CELL**2, 3, padding=1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise after He et al., ICCV 2015, with a last layer that starts near the identity."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.second.weight.data.mul_(0.3)
        self.tail.weight.data.mul_(0.02)
        self.motion.reset_parameters()

    def forward(self, window: Tensor, qp: Tensor) -> Tensor:
        """Enhance the target of a window [N, 7, H, W] in [0, 1], coded at qp [N]; float32 [N, 1, H, W], not clamped."""
        return window[:, RADIUS : RADIUS + 1].float() + self.residual(window, qp)

    def residual(self, window: Tensor, qp: Tensor) -> Tensor:
        """Return what is to be added to the target, float32 [N, 1, H, W]."""
        return self.look(window, qp)[0]

    def sight(self, window: Tensor, qp: Tensor) -> Sight:
        """Enhance, and tell where the neighbors were sampled: what a training supervises besides the picture."""
        residual, displacement, near, from_afar = self.look(window, qp)
        enhanced = window[:, RADIUS : RADIUS + 1].float() + residual
        return Sight(enhanced, displacement.float(), near.float(), self.motion.far(from_afar).float())

    def neighbors(self, window: Tensor) -> Tensor:
        """Return those frames of a window [N, 7, H, W] that are aligned with its target, [N, G, H, W]."""
        return window[:, RADIUS + 1 :: self.step]

    def look(self, window: Tensor, qp: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the residual in [0, 1], and what the motion search returns."""
        height, width = window.shape[-2:]
        dtype = self.tail.weight.dtype
        # two slices of the window, not one of the other: each is converted to the layout that its reader wants
        frames = LEVELS * whole_cells(window[:, RADIUS:].to(dtype))
        neighbors = LEVELS * whole_cells(self.neighbors(window).to(dtype))
        displacement, near, from_afar = self.motion(frames)
        aligned = warp(neighbors.float(), displacement.float())
        shift, strength = self.condition(qp)
        head = self.head(with_margin(frames), with_margin(aligned.to(frames.dtype)))
        body = F.leaky_relu(self.body(F.leaky_relu(head + shift, 0.1)), 0.1)
        residual = F.pixel_shuffle(self.tail(body) * strength, CELL)[..., :height, :width]
        return residual.float(), displacement, near, from_afar


def conv_leaky(c_in: int, c_out: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    """Return a 3x3 convolution with its LeakyReLU."""
    return nn.Conv2d(c_in, c_out, 3, stride, padding=1), nn.LeakyReLU(0.1)


def whole_cells(frames: Tensor) -> Tensor:
    """Repeat the last row and column until height and width are multiples of 16."""
    height, width = frames.shape[-2:]
    # not -width % MULTIPLE: from this form the exporter can tell how the grids' sizes hang together
    pad_right = (width + MULTIPLE - 1) // MULTIPLE * MULTIPLE - width
    pad_bottom = (height + MULTIPLE - 1) // MULTIPLE * MULTIPLE - height
    return F.pad(frames, (0, pad_right, 0, pad_bottom), mode="replicate")


def halved(frames: Tensor) -> Tensor:
    """Average 2x2 pixels of every frame, [N, T, H, W] -> [N, T, H/2, W/2].

    As a convolution, which runs in the layout that its neighbors have: OpenVINO would reorder so few channels to pool
    them, and back.
    """
    mean = torch.eye(frames.shape[1], dtype=frames.dtype, device=frames.device) / 4
    return F.conv2d(frames, mean[:, :, None, None].expand(-1, -1, 2, 2), stride=2)


def with_margin(frames: Tensor) -> Tensor:
    """Repeat the border pixels all around, as far as the head's kernels reach."""
    return F.pad(frames, (MARGIN,) * 4, mode="replicate")
