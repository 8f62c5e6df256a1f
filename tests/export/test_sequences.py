import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from export.graph import float_graph
from export.sequences import sequences_to_splits


def sequence_graph(sizes, read, axis=1):
    """Cut x [1, 6, 2] into a sequence and take the parts named, under the names part_N."""
    nodes = [
        helper.make_node(
            "Constant", [], ["sizes"], value=helper.make_tensor("s", TensorProto.INT64, [len(sizes)], sizes)
        ),
        helper.make_node("SplitToSequence", ["x", "sizes"], ["parts"], axis=axis, name="cut"),
    ]
    for number in read:
        index = helper.make_tensor("i", TensorProto.INT64, [], [number])
        nodes.append(helper.make_node("Constant", [], [f"index_{number}"], value=index))
        nodes.append(helper.make_node("SequenceAt", ["parts", f"index_{number}"], [f"part_{number}"]))
    outputs = [helper.make_tensor_value_info(f"part_{number}", TensorProto.FLOAT, [1, None, 2]) for number in read]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6, 2])
    return helper.make_model(helper.make_graph(nodes, "g", [x], outputs), opset_imports=[helper.make_opsetid("", 20)])


@pytest.mark.parametrize("sizes, read", [([4, 2], [0, 1]), ([2, 2, 2], [2, 0]), ([1, 5], [1])])
def test_parts_keep_their_names_and_values(sizes, read):
    model = sequence_graph(sizes, read)
    x = np.arange(12, dtype=np.float32).reshape(1, 6, 2)
    expected = ReferenceEvaluator(model).run(None, {"x": x})
    assert sequences_to_splits(model.graph) == 1
    assert {node.op_type for node in model.graph.node} == {"Constant", "Split"}
    onnx.checker.check_model(model, full_check=True)
    for found, wanted in zip(ReferenceEvaluator(model).run(None, {"x": x}), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_sequence_that_is_measured_stays_one():
    model = sequence_graph([4, 2], [0])
    model.graph.node.append(helper.make_node("SequenceLength", ["parts"], ["length"]))
    before = model.SerializeToString()
    assert sequences_to_splits(model.graph) == 0
    assert model.SerializeToString() == before


class Chunks(nn.Module):
    """Cuts of every kind that torch has, the last part of one smaller than the others, one part unread."""

    radius = 2

    def forward(self, window: Tensor) -> Tensor:
        first, _, last = torch.split(window, 2, 1)
        wide, _narrow = window.split_with_sizes([4, 1], 1)
        left, right = wide.chunk(2, 1)
        return first[:, :1] + last + left[:, :1] * right[:, 1:]


def test_torchs_cuts_are_exported_as_splits():
    network = Chunks()
    model = float_graph(network)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Split") == 3
    assert not {"SplitToSequence", "SequenceAt"} & set(kinds)
    window = np.random.default_rng(0).random((1, 5, 9, 7), np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (luma,) = session.run(None, {"window_float": window})
    np.testing.assert_array_equal(luma, network(torch.from_numpy(window)).numpy())
