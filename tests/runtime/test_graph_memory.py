"""Tensors that live at the same time, counted on graphs small enough to count by hand."""

import onnx
import pytest
from onnx import TensorProto, helper

from runtime.graph_memory import bytes_per_pixel
from runtime.model_file import load_model_file


def content(nodes, outputs, weights=(), channels=2):
    frames = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, "height", "width"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("elsewhere", 1)]
    graph = helper.make_graph(nodes, "g", [frames], ends, weights)
    return helper.make_model(graph, opset_imports=opsets).SerializeToString()


def relu(source, target):
    return helper.make_node("Relu", [source], [target])


def test_of_a_chain_two_tensors_live_at_a_time():
    nodes = [relu("x", "a"), relu("a", "b"), relu("b", "c"), relu("c", "d")]
    assert bytes_per_pixel(content(nodes, ["d"])) == 2 * 2 * 4  # of two channels in float32


def test_what_is_read_again_lives_until_then():
    nodes = [relu("x", "a"), relu("a", "b"), relu("b", "c"), helper.make_node("Add", ["a", "c"], ["d"])]
    assert bytes_per_pixel(content(nodes, ["d"])) == 3 * 2 * 4


def test_channels_and_smaller_grids_count():
    weights = helper.make_tensor("w", TensorProto.FLOAT, [32, 2, 2, 2], [0.0] * 256)
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"], strides=[2, 2])]
    assert bytes_per_pixel(content(nodes, ["a"], [weights])) == 2 * 4 + 32 * 4 / 4


def test_padding_to_a_computed_multiple_is_passed_over():
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Mod", ["shape", "shape"], ["none"]),
        helper.make_node("Concat", ["none", "none"], ["pads"], axis=0),
        helper.make_node("Pad", ["x", "pads"], ["padded"], mode="reflect"),
        relu("padded", "a"),
    ]
    assert bytes_per_pixel(content(nodes, ["a"])) == pytest.approx(2 * 2 * 4, rel=0.001)


def test_a_tensor_of_unknown_shape_counts_as_the_largest_read():
    nodes = [
        helper.make_node("Foreign", ["x"], ["a"], domain="elsewhere"),
        helper.make_node("Foreign", ["a"], ["b"], domain="elsewhere"),
    ]
    assert bytes_per_pixel(content(nodes, ["b"])) == 2 * 2 * 4


def test_of_exported_networks_every_tensor_is_found(live_onnx, tgafnet_onnx):
    """TGAFNet holds 64 channels of seven frames at full size, `live` works on a coarser grid."""
    live, tgafnet = (bytes_per_pixel(load_model_file(path).content) for path in (live_onnx, tgafnet_onnx))
    assert 50 < live < 300
    assert 7 * 64 * 4 < tgafnet < 4 * 7 * 64 * 4


def test_the_file_itself_stays_as_it_was(live_onnx):
    model = load_model_file(live_onnx)
    bytes_per_pixel(model.content)
    onnx.checker.check_model(onnx.load_from_string(model.content))
