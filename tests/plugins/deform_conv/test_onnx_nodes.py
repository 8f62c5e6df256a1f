"""Rewritten graphs compute what they computed, and hold nothing that nobody reads."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.graph import float_graph
from plugins.deform_conv.node_facts import is_custom, problem_from_node, value_types
from plugins.deform_conv.onnx_nodes import with_custom_nodes, with_fused_masks
from tests.networks import made_up_network
from tests.plugins.deform_conv.fused_op import evaluate

ATOL = 2e-6  # on luma near 1: float32 sums in another order, through a whole network
GROUPS, TAPS, HEIGHT, WIDTH = 2, 9, 7, 10
N_MASK = GROUPS * TAPS
INT64_MAX = 2**63 - 1


@pytest.fixture(scope="module")
def tgafnet() -> onnx.ModelProto:
    return float_graph(made_up_network("tgafnet", blocks=1, channels=8))


def custom_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if is_custom(node)]


def attribute(node: onnx.NodeProto, name: str) -> Any:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}.get(name)


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def assert_computes_the_same(rewritten: onnx.ModelProto, standard: onnx.ModelProto) -> None:
    onnx.checker.check_model(rewritten, full_check=True)
    name, *shape = standard.graph.input[0].name, 1, 0, HEIGHT, WIDTH
    shape[1] = standard.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    feeds = {name: np.random.default_rng(0).random(shape, np.float32)}
    np.testing.assert_allclose(evaluate(rewritten, feeds), run(standard, feeds), atol=ATOL, rtol=0)


def test_every_deform_conv_of_tgafnet_reads_what_its_convolution_wrote(tgafnet):
    fused, n_fused = with_fused_masks(tgafnet)
    assert n_fused == 4
    written_by = {name: node.op_type for node in fused.graph.node for name in node.output}
    for node in custom_nodes(fused):
        assert [written_by.get(name) for name in node.input[2:]] == ["Conv", None]  # packed, and a weight: the bias
        assert (attribute(node, "packed"), attribute(node, "mask_logits")) == (1, 1)
    removed = len(tgafnet.graph.node) - len(fused.graph.node)
    assert removed >= 8  # a Split and a Sigmoid each, and the Splits' sizes where they are nodes
    assert_computes_the_same(fused, tgafnet)


def test_a_custom_graph_is_the_standard_one_under_another_name_and_fuses_alike(tgafnet):
    custom = with_custom_nodes(tgafnet)
    assert len(custom_nodes(custom)) == 4
    assert {node.op_type for node in custom.graph.node}.isdisjoint({"DeformConv"})
    assert [opset.domain for opset in custom.opset_import].count("cvqe") == 1
    assert [list(node.input) for node in custom.graph.node] == [list(node.input) for node in tgafnet.graph.node]
    assert_computes_the_same(custom, tgafnet)
    fused, n_fused = with_fused_masks(custom)
    assert n_fused == 4
    assert list(fused.graph.node) == list(with_fused_masks(tgafnet)[0].graph.node)


def test_rewriting_leaves_the_given_graph_alone_and_twice_is_once(tgafnet):
    before = tgafnet.SerializeToString()
    fused, _ = with_fused_masks(tgafnet)
    with_custom_nodes(tgafnet)
    assert tgafnet.SerializeToString() == before
    again, n_fused = with_fused_masks(fused)
    assert (again, n_fused) == (fused, 0)
    assert with_custom_nodes(fused) == fused


def test_a_graph_without_masks_stays_as_it_is():
    model = block("split")
    node = next(node for node in model.graph.node if node.op_type == "DeformConv")
    del node.input[4]
    assert with_fused_masks(model) == (model, 0)


CUTS = {
    "split": [("Split", ["packed", "sizes"], ["offset", "logits"])],
    "slices": [("Slice", ["packed", "0", "36", "1"], ["offset"]), ("Slice", ["packed", "36", "end", "1"], ["logits"])],
    "slices from behind": [
        ("Slice", ["packed", "0", "-18", "1", "1"], ["offset"]),
        ("Slice", ["packed", "-18", "54", "1", "1"], ["logits"]),
    ],
    "split and slice": [
        ("Split", ["packed", "sizes"], ["offset", "unread"]),
        ("Slice", ["packed", "36", "54", "1"], ["logits"]),
    ],
    "mask first": [("Split", ["packed", "swapped"], ["logits", "offset"])],
    "overlapping": [
        ("Slice", ["packed", "0", "36", "1"], ["offset"]),
        ("Slice", ["packed", "18", "36", "1"], ["logits"]),
    ],
    "other axis": [
        ("Slice", ["packed", "0", "36", "1"], ["offset"]),
        ("Slice", ["packed", "0", "18", "1", "2"], ["logits"]),
    ],
}


def block(cut: str, also_read: str = "", channels: int = 3 * N_MASK, bias: str = "b") -> onnx.ModelProto:
    """Return a convolution that predicts offset and mask, cut in two somehow, and the DeformConv that reads them."""
    rng = np.random.default_rng(1)

    def weights(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / 3).astype(np.float32)

    numbers = {name: np.array([int(name)], np.int64) for name in ("0", "1", "2", "18", "36", "54", "-18")}
    stored = {
        "w_packed": weights(channels, 4, 3, 3),
        "w": weights(5, 4, 3, 3),
        "b": weights(5),
        "sizes": np.array([2 * N_MASK, channels - 2 * N_MASK], np.int64),
        "swapped": np.array([N_MASK, 2 * N_MASK], np.int64),
        "end": np.array([INT64_MAX], np.int64),
        **numbers,
    }
    nodes = [helper.make_node("Conv", ["x", "w_packed"], ["packed"], pads=[1] * 4)]
    for op_type, inputs, outputs in CUTS[cut]:
        nodes.append(helper.make_node(op_type, inputs, outputs, **({"axis": 1} if op_type == "Split" else {})))
    nodes.append(helper.make_node("Sigmoid", ["logits"], ["mask"]))
    inputs = ["x", "w", "offset", bias, "mask"]
    nodes.append(helper.make_node("DeformConv", inputs, ["y"], kernel_shape=[3, 3], pads=[1] * 4, offset_group=GROUPS))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5, "h", "w"])]
    if also_read:
        outputs.append(helper.make_tensor_value_info(also_read, TensorProto.FLOAT, [1, None, "h", "w"]))
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, "h", "w"])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("cut", ["split", "slices", "slices from behind", "split and slice"])
def test_offset_and_logits_become_one_tensor_however_they_are_cut(cut):
    model = block(cut)
    fused, n_fused = with_fused_masks(model)
    assert n_fused == 1
    assert [node.op_type for node in fused.graph.node] == ["Conv", "CvqeDeformConv"]
    assert list(custom_nodes(fused)[0].input) == ["x", "w", "packed", "b"]
    assert {tensor.name for tensor in fused.graph.initializer} == {"w_packed", "w", "b"}
    assert_computes_the_same(fused, model)


@pytest.mark.parametrize("cut", ["mask first", "overlapping"])
def test_where_the_order_is_another_only_the_sigmoid_is_folded(cut):
    model = block(cut)
    fused, n_fused = with_fused_masks(model)
    assert n_fused == 1
    assert "Sigmoid" not in {node.op_type for node in fused.graph.node}
    (node,) = custom_nodes(fused)
    assert list(node.input) == ["x", "w", "offset", "b", "logits"]
    assert (attribute(node, "packed"), attribute(node, "mask_logits")) == (0, 1)
    assert_computes_the_same(fused, model)


def test_channels_that_are_neither_offset_nor_mask_are_not_packed():
    model = block("slices", channels=3 * N_MASK + 2)
    model.graph.node[2].input[2] = "54"
    (node,) = custom_nodes(with_fused_masks(model)[0])
    assert (attribute(node, "packed"), node.input[2]) == (0, "offset")


def test_rows_that_look_like_channels_are_not_packed():
    (node,) = custom_nodes(with_fused_masks(block("other axis"))[0])  # no valid graph, so it is not run
    assert attribute(node, "packed") == 0


@pytest.mark.parametrize(
    "also_read, kept", [("mask", {"Split", "Sigmoid"}), ("logits", {"Split"}), ("offset", {"Split"})]
)
def test_what_others_read_stays(also_read, kept):
    model = block("split", also_read)
    fused, _ = with_fused_masks(model)
    assert {node.op_type for node in fused.graph.node} == {"Conv", "CvqeDeformConv", *kept}
    assert_computes_the_same(fused, model)


def test_what_a_branch_reads_stays():
    model = block("split")
    branch = helper.make_graph(
        [helper.make_node("Identity", ["mask"], ["taken"])],
        "branch",
        [],
        [helper.make_tensor_value_info("taken", TensorProto.FLOAT, None)],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "condition"))
    model.graph.node.append(helper.make_node("If", ["condition"], ["out"], then_branch=branch, else_branch=branch))
    model.graph.output.append(helper.make_tensor_value_info("out", TensorProto.FLOAT, None))
    fused, n_fused = with_fused_masks(model)
    assert n_fused == 1
    assert "Sigmoid" in {node.op_type for node in fused.graph.node}


def test_without_a_bias_the_inputs_stay_apart():
    (node,) = custom_nodes(with_fused_masks(block("split", bias=""))[0])
    assert list(node.input) == ["x", "w", "offset", "", "logits"]


def test_a_nodes_problem_is_read_from_the_graph():
    model = block("split")
    problem = problem_from_node(model.graph.node[-1], value_types(model))
    assert (problem.channels, problem.c_out, problem.kernel, problem.pads) == (4, 5, (3, 3), (1, 1, 1, 1))
    assert (problem.offset_group, problem.mask, problem.packed, problem.dtype) == (GROUPS, "values", False, "fp32")
    fused, _ = with_fused_masks(model)
    problem = problem_from_node(custom_nodes(fused)[0], value_types(fused))
    assert (problem.mask, problem.packed, problem.offset_channels) == ("logits", True, 3 * N_MASK)
