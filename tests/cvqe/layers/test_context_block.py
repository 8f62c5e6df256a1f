import torch

from cvqe.layers.context_block import ContextBlock

FLOAT32_ATOL = 1e-5  # a sum of 40,000 float32 products near 1/40,000, against float64


def test_a_frame_cut_into_tiles_gives_another_result():
    torch.manual_seed(0)
    block, x = ContextBlock(4), torch.rand(1, 4, 6, 8)
    tiles = torch.cat((block(x[..., :4]), block(x[..., 4:])), 3)
    assert (block(x) - tiles).abs().max() > 1e-3


def test_every_position_gets_the_same_vector():
    torch.manual_seed(0)
    x = torch.rand(2, 4, 6, 8)
    added = ContextBlock(4)(x) - x
    torch.testing.assert_close(added, added[..., :1, :1].expand_as(added))


def test_the_sum_over_a_large_frame_stays_float32_under_bfloat16_autocast():
    torch.manual_seed(0)
    block, x = ContextBlock(4), torch.rand(1, 4, 200, 200)
    with torch.no_grad():
        # a mask that autocast can't round: attention is then the same, and only softmax and sum are compared
        block.conv_mask.weight.copy_(block.conv_mask.weight.bfloat16())
        x = x.bfloat16().float()
        seen = []
        block.channel_add_conv.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        with torch.autocast("cpu", torch.bfloat16):
            block(x)
            attention = block.conv_mask(x).double().flatten(2).softmax(2)
    exact = (x.double().flatten(2) * attention).sum(2)
    assert seen[0].dtype == torch.float32
    torch.testing.assert_close(seen[0].double().flatten(1), exact, atol=FLOAT32_ATOL, rtol=0)
