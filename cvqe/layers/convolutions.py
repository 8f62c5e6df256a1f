"""The convolutions that most networks are made of: "same" padding, a ReLU behind each."""

from itertools import chain

from torch import nn


def conv(c_in: int, c_out: int, kernel_size: int = 3, stride: int = 1) -> nn.Conv2d:
    """Return a convolution, padded by half its odd kernel."""
    return nn.Conv2d(c_in, c_out, kernel_size, stride, kernel_size // 2)


def conv_relu(c_in: int, c_out: int, kernel_size: int = 3, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    """Return the same with its ReLU."""
    return conv(c_in, c_out, kernel_size, stride), nn.ReLU()


def plain_chain(channels: int, layers: int) -> nn.Sequential:
    """Return 3x3 convolutions from one plane over `channels` to one plane, a ReLU behind each but the last."""
    hidden = chain.from_iterable(conv_relu(channels, channels) for _ in range(layers - 2))
    return nn.Sequential(*conv_relu(1, channels), *hidden, conv(channels, 1))
