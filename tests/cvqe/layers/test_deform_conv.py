import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from cvqe.errors import ShapeError
from cvqe.layers import sampling
from cvqe.layers.deform_conv import DeformConv2d, deform_conv2d, packed_deform_conv2d

# outputs are near 1; at W = 40 a float32 coordinate is good to 4e-6 px, which neighbours that differ by 1 pass on
ORT_ATOL = 2e-5
# a float32 coordinate near 1920 moves in steps of 1.2e-4 px; two such roundings, and neighbours that differ by 1
WIDE_ATOL = 2.5e-4
BF16_RTOL = 2**-8  # one rounding of the result, half a bfloat16 step


def random_inputs(channels, groups, c_out, kernel, height, width, offset_px=2.0, n=2, dtype=torch.float32, seed=0):
    """Return x, offset, mask, weight and bias that give outputs near 1."""
    generator = torch.Generator().manual_seed(seed)
    n_taps = kernel * kernel

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    x = torch.rand((n, channels, height, width), generator=generator, dtype=torch.float64)
    offset = offset_px * normal(n, groups * 2 * n_taps, height, width)
    mask = torch.sigmoid(normal(n, groups * n_taps, height, width))
    weight = normal(c_out, channels, kernel, kernel) / (channels * n_taps) ** 0.5
    return [tensor.to(dtype) for tensor in (x, offset, mask, weight, normal(c_out))]


def onnxruntime_deform_conv(x, offset, mask, weight, bias):
    """Run the standard's op, alone in a model."""
    tensors = {"x": x, "weight": weight, "offset": offset, "bias": bias, "mask": mask}
    kernel = weight.shape[-1]
    node = helper.make_node(
        "DeformConv",
        list(tensors),
        ["y"],
        kernel_shape=[kernel, kernel],
        pads=[kernel // 2] * 4,
        offset_group=mask.shape[1] // kernel**2,
    )
    graph = helper.make_graph(
        [node],
        "deform_conv",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(t.shape)) for name, t in tensors.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [len(x), len(bias), *x.shape[2:]])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {name: t.numpy() for name, t in tensors.items()})[0])


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("channels, groups", [(3, 3), (6, 2), (4, 1)])
@pytest.mark.parametrize("height, width", [(17, 31), (8, 40), (1, 9), (9, 1), (1, 1), (2, 2)])
@pytest.mark.parametrize("offset_px", [2.0, 30.0])  # 30 px leaves most of these pictures
def test_it_equals_the_standard_op(kernel, channels, groups, height, width, offset_px):
    inputs = random_inputs(channels, groups, 5, kernel, height, width, offset_px)
    torch.testing.assert_close(deform_conv2d(*inputs), onnxruntime_deform_conv(*inputs), atol=ORT_ATOL, rtol=0)


def test_zero_offsets_and_a_mask_of_ones_are_an_ordinary_convolution():
    x, offset, mask, weight, bias = random_inputs(3, 3, 4, 3, 11, 13, dtype=torch.float64)
    y = deform_conv2d(x, torch.zeros_like(offset), torch.ones_like(mask), weight, bias)
    torch.testing.assert_close(y, torch.nn.functional.conv2d(x, weight, bias, padding=1))


def test_whole_pixel_offsets_read_dy_first():
    x = torch.arange(20.0).view(1, 1, 4, 5)
    offset = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 4, 5)
    y = deform_conv2d(x, offset, torch.ones(1, 1, 4, 5), torch.ones(1, 1, 1, 1), torch.zeros(1))
    torch.testing.assert_close(y[0, 0, :3, 2:], x[0, 0, 1:, :3], atol=ORT_ATOL, rtol=0)
    assert y[0, 0, 3].abs().max() == 0
    assert y[0, 0, :, :2].abs().max() == 0


@pytest.mark.parametrize("kernel, channels, groups", [(1, 2, 2), (3, 4, 2)])
def test_no_mask_is_a_mask_of_ones(kernel, channels, groups):
    inputs = [i.requires_grad_() for i in random_inputs(channels, groups, 3, kernel, 7, 9)]
    x, offset, mask, weight, bias = inputs
    others = [x, offset, weight, bias]
    y = deform_conv2d(x, offset, None, weight, bias)
    expected = deform_conv2d(x, offset, torch.ones_like(mask), weight, bias)
    torch.testing.assert_close(y, expected)
    grads, expected_grads = (torch.autograd.grad(z.square().sum(), others) for z in (y, expected))
    torch.testing.assert_close(grads, expected_grads)


@pytest.mark.parametrize("strip_floats", [1, 200, 2**22])
def test_gradients_without_a_mask_are_those_of_finite_differences(monkeypatch, strip_floats):
    monkeypatch.setattr(sampling, "STRIP_FLOATS", strip_floats)
    inputs = random_inputs(4, 2, 2, 3, 3, 4, dtype=torch.float64)
    inputs[2] = None
    torch.autograd.gradcheck(deform_conv2d, [i if i is None else i.requires_grad_() for i in inputs], fast_mode=True)


@pytest.mark.parametrize("strip_floats", [1, 2000, 2**22])  # one row, some rows or samples, everything at once
@pytest.mark.parametrize("kernel, channels, groups", [(1, 4, 4), (3, 4, 2), (5, 3, 3), (3, 2, 1)])
def test_gradients_are_those_of_finite_differences(monkeypatch, strip_floats, kernel, channels, groups):
    monkeypatch.setattr(sampling, "STRIP_FLOATS", strip_floats)
    inputs = random_inputs(channels, groups, 2, kernel, 3, 4, dtype=torch.float64)
    torch.autograd.gradcheck(deform_conv2d, [i.requires_grad_() for i in inputs], fast_mode=True)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 4), (5, 1)])
def test_gradients_hold_in_pictures_of_one_row_or_column(height, width):
    inputs = random_inputs(2, 2, 2, 3, height, width, offset_px=0.3, dtype=torch.float64)
    torch.autograd.gradcheck(deform_conv2d, [i.requires_grad_() for i in inputs], fast_mode=True)


def test_strips_give_what_one_piece_gives(monkeypatch):
    inputs = [i.requires_grad_() for i in random_inputs(4, 2, 3, 3, 9, 10, n=3)]

    def outputs():
        y = deform_conv2d(*inputs)
        return [y, *torch.autograd.grad(y.square().sum(), inputs)]

    whole = outputs()
    for strip_floats in (1, 1500, 6000):
        monkeypatch.setattr(sampling, "STRIP_FLOATS", strip_floats)
        # sums in another order
        torch.testing.assert_close(outputs(), whole, atol=1e-5, rtol=1e-5)


def test_frames_without_gradient_are_left_out_of_the_backward_pass():
    x, *others = random_inputs(3, 3, 2, 3, 5, 6)
    deform_conv2d(x, *[i.requires_grad_() for i in others]).sum().backward()
    assert x.grad is None
    assert all(i.grad is not None for i in others)


@pytest.mark.parametrize("width", [1300, 1920])
def test_coordinates_of_a_wide_picture_stay_exact(width):
    inputs = random_inputs(3, 3, 1, 5, 3, width, dtype=torch.float64)
    inputs[3] = torch.zeros_like(inputs[3])
    inputs[3][0, 0, 2, 2] = 1  # one tap alone: its error is not averaged away
    inputs = [i.float() for i in inputs]
    exact = deform_conv2d(*[i.double() for i in inputs])
    torch.testing.assert_close(deform_conv2d(*inputs).double(), exact, atol=WIDE_ATOL, rtol=0)


def test_shapes_are_checked_without_a_mask_too():
    x, offset, _, weight, bias = random_inputs(3, 3, 4, 3, 5, 6)
    with pytest.raises(ShapeError, match=r"got x \[2, 3, 5, 6\], offset \[2, 54, 5, 5\], weight \[4, 3, 3, 3\]"):
        deform_conv2d(x, offset[..., :5], None, weight, bias)


def test_bfloat16_autocast_keeps_coordinates_and_sums_in_float32():
    x, offset, mask, weight, bias = random_inputs(3, 3, 4, 3, 4, 400)
    x, offset, mask = x.bfloat16(), offset.bfloat16(), mask.bfloat16()  # what convolutions under autocast hand over
    exact = deform_conv2d(*[i.double() for i in (x, offset, mask, weight, bias)])
    column = torch.arange(400.0)
    in_bfloat16 = (column.bfloat16() + offset[:, 1::2]).float() - column  # the mistake: p + d in bfloat16
    naive = deform_conv2d(x, torch.stack((offset[:, 0::2].float(), in_bfloat16), 2).flatten(1, 2), mask, weight, bias)

    with torch.autocast("cpu", torch.bfloat16):
        y = deform_conv2d(x, offset, mask, weight, bias)
        wide = deform_conv2d(x.float(), offset, mask, weight, bias)

    assert (naive.double() - exact).abs().max() > 0.3
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.double(), exact, rtol=BF16_RTOL, atol=ORT_ATOL)
    assert wide.dtype == torch.float32
    torch.testing.assert_close(wide.double(), exact, rtol=0, atol=WIDE_ATOL)


def test_gradients_under_bfloat16_autocast_are_as_good_as_bfloat16():
    inputs = random_inputs(3, 3, 4, 3, 4, 400)
    inputs[1] = inputs[1].round() + 0.25  # off the pixels, where the slope jumps
    halves = [i.bfloat16().requires_grad_() for i in inputs[:3]] + [i.requires_grad_() for i in inputs[3:]]
    doubles = [i.detach().double().requires_grad_() for i in halves]
    with torch.autocast("cpu", torch.bfloat16):
        grads = torch.autograd.grad(deform_conv2d(*halves).float().sum(), halves)  # backward inside autocast too
    exact = torch.autograd.grad(deform_conv2d(*doubles).sum(), doubles)
    assert [g.dtype for g in grads] == [i.dtype for i in halves]
    for grad, exact_grad in zip(grads, exact, strict=True):
        torch.testing.assert_close(grad.double(), exact_grad, rtol=BF16_RTOL, atol=1e-4 * exact_grad.abs().max())


@pytest.mark.parametrize("far", [1e4, 1e30, float("inf")])
def test_far_offsets_read_zero(far):
    x, offset, mask, weight, bias = random_inputs(3, 3, 4, 3, 6, 7)
    for sign in (-1, 1):
        inputs = [i.requires_grad_() for i in (x, torch.full_like(offset, sign * far), mask, weight, bias)]
        y = deform_conv2d(*inputs)
        torch.testing.assert_close(y, bias.view(1, -1, 1, 1).expand_as(y))
        assert all(grad.isfinite().all() for grad in torch.autograd.grad(y.sum(), inputs))


def test_a_nan_offset_spoils_its_own_pixel_only():
    inputs = random_inputs(3, 3, 4, 3, 6, 7, n=1)
    clean = deform_conv2d(*inputs)
    inputs[1][0, 5, 2, 3] = float("nan")
    y = deform_conv2d(*inputs)
    assert y[..., 2, 3].isnan().all()
    others = torch.ones(6, 7, dtype=torch.bool)
    others[2, 3] = False
    torch.testing.assert_close(y[..., others], clean[..., others])


def test_the_op_keeps_the_promises_made_to_torch():
    inputs = random_inputs(4, 2, 3, 3, 5, 6)
    torch.library.opcheck(torch.ops.cvqe.deform_conv2d.default, [i.requires_grad_() for i in inputs])
    bfloat16 = [i.detach().bfloat16().requires_grad_() for i in inputs]
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(torch.ops.cvqe.deform_conv2d.default, bfloat16, test_utils=tests)


def test_the_op_keeps_its_promises_without_a_mask():
    inputs = [i.requires_grad_() for i in random_inputs(4, 2, 3, 3, 5, 6)]
    inputs[2] = None
    torch.library.opcheck(torch.ops.cvqe.deform_conv2d.default, inputs)


def test_a_channels_last_picture_gives_the_same():
    x, *others = random_inputs(4, 4, 3, 3, 5, 6)
    x_last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(deform_conv2d(x_last, *others), deform_conv2d(x, *others))


@pytest.mark.parametrize(
    "index, shape, words",
    [
        (2, (2, 26, 5, 6), "offset and mask disagree"),
        (1, (2, 53, 5, 6), "needs G \\* 18"),
        (1, (2, 54, 5, 7), "same N, H and W"),
        (3, (4, 2, 3, 3), "2 channels in"),
        (3, (4, 3, 2, 2), "odd kernel"),
        (4, (3,), "4 out"),
        (0, (3, 5, 6), "four dimensions"),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_shapes_that_do_not_fit_are_refused_with_their_numbers(index, shape, words, device):
    inputs = [i.to(device) for i in random_inputs(3, 3, 4, 3, 5, 6)]
    inputs[index] = torch.zeros(shape, device=device)
    with pytest.raises(ShapeError, match=words):
        deform_conv2d(*inputs)


def test_the_module_holds_weight_and_bias_and_calls_the_op():
    x, offset, mask, weight, bias = random_inputs(3, 3, 4, 3, 5, 6)
    module = DeformConv2d(3, 4, 3)
    assert {name: tuple(p.shape) for name, p in module.named_parameters()} == {"weight": (4, 3, 3, 3), "bias": (4,)}
    assert 0 < module.weight.abs().max() <= 1 / np.sqrt(27)
    module.load_state_dict({"weight": weight, "bias": bias})
    for mask_ in (mask, None):
        torch.testing.assert_close(module(x, offset, mask_), deform_conv2d(x, offset, mask_, weight, bias))


@pytest.mark.parametrize("kernel, channels, groups", [(1, 6, 6), (3, 4, 2)])
def test_offsets_and_mask_in_one_tensor_are_cut_and_squashed(kernel, channels, groups):
    x, offset, mask, weight, bias = random_inputs(channels, groups, 5, kernel, 6, 9)
    packed = torch.cat((offset, mask.logit()), 1)
    expected = deform_conv2d(x, offset, mask.logit().sigmoid(), weight, bias)
    torch.testing.assert_close(packed_deform_conv2d(x, packed, weight, bias), expected, atol=0, rtol=0)
    by_op = torch.ops.cvqe.packed_deform_conv2d(x, packed, weight, bias)
    torch.testing.assert_close(by_op, expected, atol=0, rtol=0)
    torch.library.opcheck(torch.ops.cvqe.packed_deform_conv2d, (x, packed, weight, bias))
