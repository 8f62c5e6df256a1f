import numpy as np
import onnx
import pytest

from calibration.folded import folded_model
from calibration.placement import Role, place, roles_of
from cvqe.errors import UsageError
from cvqe.pixels import FLOAT_WINDOW
from runtime.model_file import WEIGHTS
from tests.calibration.graphs import N_FRAMES, Net, residual_net


def roles(model: onnx.ModelProto) -> dict[str, Role | None]:
    return roles_of(folded_model(model))


def test_the_inner_convolutions_are_rounded_and_the_ends_are_not():
    expected = {"first": Role.FIRST, "second": None, "third": None, "last": Role.LAST}
    assert roles(residual_net()) == expected


def test_a_first_convolution_without_padding_can_be_centred_and_is_rounded():
    net = Net()
    seen = net.leaky(net.conv(FLOAT_WINDOW, "look", N_FRAMES, 32, kernel=8, strides=[8, 8], pads=[0] * 4))
    wide = net.conv(seen, "draw", 32, 64)
    assert roles(net.model(net.add("DepthToSpace", [wide], "shuffled", blocksize=8)))["look"] is None


def test_what_draws_offsets_or_masks_is_not_rounded():
    net = Net()
    features = net.leaky(net.conv(FLOAT_WINDOW, "first", N_FRAMES, 32))
    offset, mask = net.conv(features, "offset", 32, 64), net.conv(features, "mask", 32, 32)
    constants = [net.constant("dcn.weight", np.ones((32, 32, 1, 1))), net.constant("dcn.bias", np.zeros(32))]
    inputs = [features, constants[0], net.add("Identity", [offset], "shift"), constants[1]]
    moved = net.add("DeformConv", [*inputs, net.add("Sigmoid", [mask], "weighed")], "moved", offset_group=32)
    found = roles(net.model(net.conv(net.conv(moved, "inner", 32, 32), "last", 32, 1)))
    assert (found["offset"], found["mask"], found["inner"]) == (Role.OFFSET, Role.OFFSET, None)


def test_what_works_on_a_sum_of_the_picture_is_not_rounded_and_what_it_is_added_to_is():
    net = Net()
    features = net.conv(FLOAT_WINDOW, "first", N_FRAMES, 32)
    mean = net.add("GlobalAveragePool", [features], "mean")
    context = net.conv(net.leaky(net.conv(mean, "squeeze", 32, 64, 1)), "widen", 64, 32, 1)
    inner = net.conv(net.add("Add", [features, context], "with_context"), "inner", 32, 32)
    found = roles(net.model(net.conv(inner, "last", 32, 1)))
    assert (found["squeeze"], found["widen"], found["inner"]) == (Role.GLOBAL_SUM, Role.GLOBAL_SUM, None)


def test_narrow_and_pointwise_convolutions_do_not_pay():
    net = Net()
    features = net.conv(FLOAT_WINDOW, "first", N_FRAMES, 64)
    narrow = net.conv(net.conv(features, "pointwise", 64, 64, 1), "narrow", 64, 8)
    found = roles(net.model(net.conv(narrow, "last", 8, 1)))
    assert (found["pointwise"], found["narrow"]) == (Role.POINTWISE, Role.NARROW)


def test_the_gates_of_a_convlstm_keep_its_state_in_high_precision():
    model = onnx.load(WEIGHTS / "mganet_slim_ai_qp37.onnx")
    placement = place(folded_model(model))
    gates = [name for name, reason in placement.high_precision.items() if reason == Role.GATE.value]
    assert gates and placement.quantised
    with_gates = place(folded_model(model), also=[Role.GATE])
    assert set(with_gates.quantised) == {*placement.quantised, *gates}


def test_the_shipped_default_keeps_what_moves_pixels_and_what_draws_them():
    found = roles(onnx.load(WEIGHTS / "live.onnx"))
    assert [name for name, role in found.items() if role is Role.LAST] == ["node_conv2d_31"]
    assert (
        sum(role is Role.OFFSET for role in found.values()) == 4
    )  # two passes, one of them at two grids, and the fine one
    assert sum(role is None for role in found.values()) == 21


def test_a_convolution_to_keep_is_kept_and_an_unknown_one_is_named():
    model = folded_model(residual_net())
    assert place(model, keep=["second"]).high_precision["second"] == "asked for"
    with pytest.raises(UsageError, match="no convolution is called nowhere; there are first, second"):
        place(model, keep=["nowhere"])


def test_weights_made_from_weights_are_folded():
    net = Net()
    weight = net.constant("w", np.random.default_rng(0).standard_normal((32, N_FRAMES, 3, 3)), np.float16)
    wide = net.add("Cast", [weight], "wide", to=onnx.TensorProto.FLOAT)
    net.add("Conv", [FLOAT_WINDOW, net.add("Mul", [wide, net.constant("gain", 2.0)], "kernel")], "made", pads=[1] * 4)
    model = net.model(net.conv("made", "last", 32, 1))
    assert "made" not in roles_of(model)
    folded = folded_model(model)
    assert "made" in roles_of(folded)
    assert "kernel" not in {output for node in folded.graph.node for output in node.output}
