"""MGANet: frames fused by a bidirectional ConvLSTM, restored by an encoder-decoder that sees the coder's blocks.

    window -> heads -> BRCLSTM -> + -> encoder -----> + ------> decoder -> images at 1/16, 1/8, 1/4, 1/2 -> enhanced
                                  |       | (shared)  |           ^
    guided map -> guide --------> + -> encoder -----> + -- skips --

The guided map is the target with every transform unit replaced by its mean. At each of the five scales the two streams
are added; the sums go to the decoder, and neither stream sees them. Equation numbers are those of "MGANet: A Robust
Model for Quality Enhancement of Compressed Video". Parameters carry the names of the public checkpoints, whose reading
is the default; the paper differs from it in eq. (6).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvqe.errors import UsageError
from cvqe.layers.conv_lstm import BidirectionalConvLSTM

SLOPE = 0.05
# how frames become one: the checkpoints' BRCLSTM and that of eq. (6), and what the paper compares it with in Table 5
BRCLSTM, ADDED, BCLSTM, SLOW, EARLY = FUSIONS = ("brclstm", "brclstm-add", "bclstm", "slow", "early")


class Images(NamedTuple):
    """What the decoder draws on its way, for the losses of a training; not clamped."""

    enhanced: Tensor  # [N, 1, H, W]; 0 is black and 1 white
    intermediate: list[Tensor]  # at 1/2, 1/4, 1/8 and 1/16 of the features' size, the finest first
    sides_px: list[int]  # of the square of the picture that one pixel of each intermediate image stands for


class MGANet(nn.Module):
    """Enhance the middle frame of 2R+1; as published, R = 1 (F3), 64 channels and 33,697,756 parameters.

    Attributes:
        radius: R: 0 for F1, 1 for F3, 2 for F5.
        takes_guide: whether it is called with a guided map.
        draws_residual: whether its layers draw what the target lacks, not the picture.
    """

    def __init__(
        self,
        radius: int = 1,
        channels: int = 64,
        fusion: str = BRCLSTM,
        guided: bool = True,
        residual: bool = False,
        shrink: int = 1,
        levels: int = 4,
    ) -> None:
        """Create it with fresh weights.

        Args:
            radius: frames on either side of the target.
            channels: of the frames' features; each level of the encoder doubles them.
            fusion: one of FUSIONS.
            guided: with the stream of the guided map.
            residual: the last layer draws what the target lacks, not the picture: such a network starts near the
                identity and learns sooner. The published one has no such sum.
            shrink: pixels, in each direction, that the features see as one place: 1 as published. With 2 a CPU moves a
                quarter of the features, which is what it spends its time on.
            levels: halvings in the encoder: 4 as published.

        Raises:
            UsageError: no such fusion.
        """
        super().__init__()
        if fusion not in FUSIONS:
            raise UsageError(f"mganet has no fusion {fusion!r}; choose one of {', '.join(FUSIONS)}.")
        self.radius, self.fusion, self.takes_guide, self.draws_residual = radius, fusion, guided, residual
        self.shrink, self.levels = shrink, levels
        self._add_heads(channels)
        self._add_fusion(channels)
        if guided:
            self.conv1_mask, self.conv2_mask = leaky(self._first_conv(1, channels)), leaky(conv(channels, channels))
        self._add_encoder(channels)
        self._add_decoder(channels)
        self.output1 = leaky(conv(2 * channels + 1, channels))
        self.output2 = leaky(conv(channels, channels))
        self.output3 = nn.Sequential(conv(channels, shrink**2))

    def forward(self, window: Tensor, guide: Tensor | None = None) -> Tensor:
        """Enhance the target of a window [N, 2R+1, H, W] in [0, 1]; returns float32 [N, 1, H, W], not clamped.

        The published clamp to [0, 1] is in a graph's ends, behind the mean that tells of a NaN or an infinity.

        Args:
            window: of any size from 2x2.
            guide: the target's guided map, [N, 1, H, W] in [0, 1]; for a network that takes one.
        """
        return self.images(window, guide).enhanced

    def images(self, window: Tensor, guide: Tensor | None = None) -> Images:
        """Enhance, and return the decoder's smaller images too: what a training supervises, eq. (15)."""
        dtype = self.output3[0].weight.dtype
        streams = [self.fuse(self._whole_places(window).to(dtype))]
        if self.takes_guide:
            assert guide is not None, "this network takes a guided map"
            streams.append(self.conv2_mask(self.conv1_mask(self._whole_places(guide).to(dtype))))
        features, drawn = self.decode(self.encode(streams))
        enhanced = self._picture(self.output3(self.output2(self.output1(features))).float(), window)
        return self._onto_target(window, enhanced, [image.float() for image in drawn])

    def fuse(self, window: Tensor) -> Tensor:
        """Return the features of all frames as those of one, [N, C, H, W]: eq. (3) to (8)."""
        features = self.frame_features(window)
        if self.fusion == EARLY:
            return features[0]
        if self.fusion == SLOW:
            return self.fuse_slowly(features)
        merged: Tensor = self.biconvlstm(features)
        if self.fusion == BCLSTM:
            return merged
        target = features[self.radius]
        with_target: Tensor = (
            self.LSTM_out(torch.cat([target, merged], 1)) if self.fusion == BRCLSTM else target + merged
        )
        return with_target

    def frame_features(self, window: Tensor) -> list[Tensor]:
        """Return each frame's features, [N, C, H, W]; every place in the window has its own weights.

        Early fusion has one place, which sees all frames.
        """
        heads = [(getattr(self, f"pre_conv{i}"), getattr(self, f"pre_conv{i}_1")) for i in self._positions()]
        seen = window.shape[1] // len(heads)
        return [second(first(window[:, seen * i : seen * (i + 1)])) for i, (first, second) in enumerate(heads)]

    def fuse_slowly(self, features: Sequence[Tensor]) -> Tensor:
        """Fuse neighbors in pairs, the results in pairs again, until one is left."""
        for layer in self.slow_fusion:
            features = [layer(torch.cat(pair, 1)) for pair in pairwise(features)]
        return features[0]

    def encode(self, streams: list[Tensor]) -> list[Tensor]:
        """Return the sums of all streams at full size, 1/2, 1/4, 1/8 and 1/16: eq. (12), (13)."""
        levels = [sum_of(streams)]
        for i in range(1, self.levels + 1):
            down, refine = getattr(self, f"conv{i}"), getattr(self, f"conv{i}_1")
            streams = [refine(down(stream)) for stream in streams]
            levels.append(sum_of(streams))
        return levels

    def decode(self, levels: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return features of full size, and the images drawn at 1/2 to 1/16, the finest first: eq. (14)."""
        features, images = levels[self.levels], list[Tensor]()
        for i in range(self.levels, 0, -1):
            image = getattr(self, f"predict_image{i}")(features)
            images.insert(0, image)
            enlarged, decoded = getattr(self, upsampling_name(i))(image), getattr(self, f"deconv{i}")(features)
            skip = levels[i - 1]
            height, width = skip.shape[-2:]  # of an odd size one row less than twice the half
            features = torch.cat([skip, decoded[..., :height, :width], enlarged[..., :height, :width]], 1)
        return features, images

    def first_layers(self) -> Iterator[nn.Conv2d]:
        """Yield the convolutions that see pixels."""
        yield from (getattr(self, f"pre_conv{i}")[0] for i in self._positions())
        if self.takes_guide:
            yield self.conv1_mask[0]

    def last_layers(self) -> Iterator[nn.Conv2d]:
        """Yield the convolutions that draw pictures."""
        yield self.output3[0]
        yield from (getattr(self, f"predict_image{i}") for i in range(1, self.levels + 1))

    def _positions(self) -> range:
        return range(1, 2 if self.fusion == EARLY else 2 * self.radius + 2)

    def _whole_places(self, planes: Tensor) -> Tensor:
        """Repeat the last row and column until height and width are multiples of `shrink`."""
        if self.shrink == 1:
            return planes
        height, width = planes.shape[-2:]
        # from this form the exporter can tell how the grids' sizes hang together
        bottom = (height + self.shrink - 1) // self.shrink * self.shrink - height
        right = (width + self.shrink - 1) // self.shrink * self.shrink - width
        return F.pad(planes, (0, right, 0, bottom), mode="replicate")

    def _picture(self, drawn: Tensor, window: Tensor) -> Tensor:
        """Put the channels of every place side by side, and cut off what is beyond the window."""
        if self.shrink == 1:
            return drawn
        height, width = window.shape[-2:]
        return F.pixel_shuffle(drawn, self.shrink)[..., :height, :width]

    def _onto_target(self, window: Tensor, enhanced: Tensor, images: list[Tensor]) -> Images:
        """Add the target, at each image's size, where the network draws what it lacks."""
        sides_px = [self.shrink << i for i in range(1, self.levels + 1)]
        if not self.draws_residual:
            return Images(enhanced, images, sides_px)
        target = window[:, self.radius : self.radius + 1].float()
        onto = [image + shrunk(target, side) for image, side in zip(images, sides_px, strict=True)]
        return Images(target + enhanced, onto, sides_px)

    def _first_conv(self, c_in: int, c_out: int) -> nn.Conv2d:
        """Return a 3x3 convolution over places, as one over their pixels."""
        return nn.Conv2d(c_in, c_out, 3 * self.shrink, self.shrink, self.shrink)

    def _add_heads(self, channels: int) -> None:
        n_seen = 2 * self.radius + 1 if self.fusion == EARLY else 1
        for i in self._positions():
            setattr(self, f"pre_conv{i}", leaky(self._first_conv(n_seen, channels)))
            setattr(self, f"pre_conv{i}_1", leaky(conv(channels, channels)))

    def _add_fusion(self, channels: int) -> None:
        if self.fusion == SLOW:
            layers = [leaky(conv(2 * channels, channels)) for _ in range(2 * self.radius)]
            self.slow_fusion = nn.ModuleList(layers)
        elif self.fusion != EARLY:
            self.biconvlstm = BidirectionalConvLSTM(channels)
        if self.fusion == BRCLSTM:
            self.LSTM_out = leaky(nn.Conv2d(2 * channels, channels, 1))

    def _add_encoder(self, channels: int) -> None:
        for i in range(1, self.levels + 1):
            c_out = channels << i
            down = nn.Conv2d(channels, c_out, 7, 2, 3) if i == 1 else conv(c_out // 2, c_out, stride=2)
            setattr(self, f"conv{i}", leaky(down))
            setattr(self, f"conv{i}_1", leaky(conv(c_out, c_out)))

    def _add_decoder(self, channels: int) -> None:
        for i in range(self.levels, 0, -1):
            c_in = (channels << i) if i == self.levels else (channels << (i + 1)) + 1
            setattr(self, f"deconv{i}", leaky(deconv(c_in, channels << (i - 1))))
            setattr(self, f"predict_image{i}", nn.Conv2d(c_in, 1, 3, padding=1, bias=False))
            setattr(self, upsampling_name(i), deconv(1, 1))


def upsampling_name(level: int) -> str:
    """Return the name of the layer that enlarges the image of a level to the next one."""
    return f"upsampled_image{level}_to_{level - 1 if level > 1 else 'finally'}"


def conv(c_in: int, c_out: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution."""
    return nn.Conv2d(c_in, c_out, 3, stride, padding=1)


def deconv(c_in: int, c_out: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that doubles the size, without bias."""
    return nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=False)


def leaky(layer: nn.Module) -> nn.Sequential:
    """Return a layer with its LeakyReLU."""
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE))


def sum_of(streams: list[Tensor]) -> Tensor:
    """Return the sum of one or two streams."""
    return streams[0] if len(streams) == 1 else streams[0] + streams[1]


def shrunk(picture: Tensor, side_px: int) -> Tensor:
    """Return a picture's means over squares, which its right and lower edges may cut."""
    return F.avg_pool2d(picture, side_px, ceil_mode=True)
