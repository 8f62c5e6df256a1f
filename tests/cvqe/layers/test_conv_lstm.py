import pytest
import torch
from torch import nn

from cvqe.layers.conv_lstm import BidirectionalCell

# float32 sums of some hundred products in another order, before functions whose slope is at most 1
ATOL = 1e-5
CHANNELS = 6


def plain_direction(cell: nn.Module, features):
    """Follow equations (3) to (5) frame by frame from a state of zeros, all gates at every step."""
    hidden = state = torch.zeros_like(features[0])
    for frame in features:
        gates = cell.conv(torch.cat([frame, hidden], 1))
        write, forget, read, candidate = gates.chunk(4, 1)
        state = torch.sigmoid(forget) * state + torch.sigmoid(write) * torch.tanh(candidate)
        hidden = torch.sigmoid(read) * torch.tanh(state)
        yield hidden


def plain(cell, features):
    """Run both directions over all frames, and keep the middle ones."""
    middle = len(features) // 2
    forward = list(plain_direction(cell, features))[middle]
    backward = list(plain_direction(cell, features[::-1]))[middle]
    return cell.conv_concat(torch.cat([forward, backward], 1))


def cell_and_features(n_frames):
    torch.manual_seed(n_frames)
    return BidirectionalCell(CHANNELS), [torch.randn(2, CHANNELS, 7, 9) for _ in range(n_frames)]


@pytest.mark.parametrize("n_frames", [1, 3, 5, 7])
def test_it_equals_the_plain_bidirectional_lstm(n_frames):
    cell, features = cell_and_features(n_frames)
    torch.testing.assert_close(cell(features), plain(cell, features), atol=ATOL, rtol=0)


@pytest.mark.parametrize("n_frames", [1, 3, 5])
def test_its_gradients_are_those_of_the_plain_one(n_frames):
    cell, features = cell_and_features(n_frames)
    plain(cell, features).square().sum().backward()
    expected = {name: parameter.grad.clone() for name, parameter in cell.named_parameters()}
    cell.zero_grad()
    cell(features).square().sum().backward()
    for name, parameter in cell.named_parameters():
        share = expected[name].abs().max()
        torch.testing.assert_close(parameter.grad, expected[name], atol=ATOL * float(share), rtol=1e-4)


def test_every_frame_reaches_the_middle():
    cell, features = cell_and_features(5)
    before = cell(features)
    for number in range(5):
        changed = [frame + (i == number) for i, frame in enumerate(features)]
        assert (cell(changed) - before).abs().max() > 1e-4
