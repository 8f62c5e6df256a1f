import torch

from cvqe.layers.channel_attention import ChannelAttention, ResidualChannelAttention


def test_every_channel_gets_one_weight_between_0_and_1_from_the_whole_frame():
    torch.manual_seed(0)
    attention, x = ChannelAttention(4), torch.rand(2, 4, 6, 8) + 0.1
    weights = attention(x) / x
    torch.testing.assert_close(weights, weights[..., :1, :1].expand_as(weights))
    assert 0 < weights.min() < weights.max() < 1
    tiles = torch.cat((attention(x[..., :4]), attention(x[..., 4:])), 3)
    assert not torch.allclose(tiles, attention(x))


def test_the_block_adds_its_refinement_to_its_input():
    torch.manual_seed(0)
    block, x = ResidualChannelAttention(4), torch.rand(2, 4, 6, 8)
    torch.testing.assert_close(block(x), x + block.body(x))
