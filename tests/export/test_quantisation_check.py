"""Q and DQ nodes that TensorRT does not take are named before it parses them."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from cvqe.errors import ModelError
from export.quantisation_check import refuse_foreign_scales
from tests.quantised import float_model, quantised_model

PATH = Path("small_int8.onnx")


def with_constant(name, value):
    model = quantised_model()
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(value, name))
    return model


def nodes_of(model, op_type):
    return [node for node in model.graph.node if node.op_type == op_type]


@pytest.mark.parametrize(
    "model", [float_model(), quantised_model(), quantised_model("fp8")], ids=["fp32", "int8", "fp8"]
)
def test_symmetric_scales_pass(model):
    refuse_foreign_scales(model, PATH)


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("features.zero", np.int8(-1), r"features.q \(QuantizeLinear\) has a zero point that is not 0"),
        ("features.zero", np.uint8(0), r"features.q \(QuantizeLinear\) rounds to uint8"),
        ("second.weight.zero", np.zeros(1, np.int32), r"second.weight.dq \(DequantizeLinear\) rounds to int32"),
    ],
)
def test_others_name_the_node_and_what_it_has(name, value, words):
    with pytest.raises(ModelError, match=rf"small_int8.onnx: node {words}, which TensorRT does not take. Calibrate"):
        refuse_foreign_scales(with_constant(name, value), PATH)


@pytest.mark.parametrize("place, word", [(1, "scale"), (2, "zero point")])
def test_a_scale_that_is_computed_is_refused(place, word):
    model = quantised_model()
    node = next(each for each in model.graph.node if each.op_type == "QuantizeLinear")
    model.graph.node.insert(0, helper.make_node("Identity", [node.input[place]], ["computed"]))
    node.input[place] = "computed"
    with pytest.raises(ModelError, match=rf"has a {word} that is computed \(computed\)"):
        refuse_foreign_scales(model, PATH)


@pytest.mark.parametrize("to", ["int8", "fp8"])
def test_what_is_dequantised_tells_its_type_without_a_zero_point(to):
    model = quantised_model(to)
    for node in nodes_of(model, "DequantizeLinear"):
        del node.input[2]
    refuse_foreign_scales(model, PATH)


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.FLOAT8E4M3FN])
def test_a_quantise_node_may_tell_its_type_as_an_attribute(kind):
    model = quantised_model()
    (node,) = nodes_of(model, "QuantizeLinear")
    del node.input[2]
    node.attribute.append(helper.make_attribute("output_dtype", kind))
    refuse_foreign_scales(model, PATH)


def test_a_quantise_node_that_tells_no_type_rounds_to_uint8():
    model = quantised_model()
    (node,) = nodes_of(model, "QuantizeLinear")
    del node.input[2]
    with pytest.raises(ModelError, match=r"features.q \(QuantizeLinear\) rounds to uint8 for want of a zero point"):
        refuse_foreign_scales(model, PATH)


def test_weights_of_another_type_are_refused_without_a_zero_point_as_well():
    model = with_constant("second.weight.q", np.zeros((1, 16, 3, 3), np.uint8))
    node = nodes_of(model, "DequantizeLinear")[1]
    del node.input[2]
    with pytest.raises(ModelError, match=r"second.weight.dq \(DequantizeLinear\) rounds to uint8, which"):
        refuse_foreign_scales(model, PATH)


def test_a_type_that_nothing_tells_is_refused():
    model = quantised_model()
    node = nodes_of(model, "DequantizeLinear")[0]
    model.graph.node.insert(1, helper.make_node("Identity", [node.input[0]], ["passed on"]))
    node.input[0] = "passed on"
    del node.input[2]
    with pytest.raises(ModelError, match=r"features.dq .* has no zero point, and nothing else says the type"):
        refuse_foreign_scales(model, PATH)


@pytest.mark.parametrize("kind", ["value", "value_float", "value_floats"])
def test_scales_may_stand_in_constant_nodes(kind):
    model = quantised_model()
    (step,) = (tensor for tensor in model.graph.initializer if tensor.name == "features.scale")
    number = float(numpy_helper.to_array(step))
    value = {"value": step, "value_float": number, "value_floats": [number]}[kind]
    model.graph.initializer.remove(step)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["features.scale"], **{kind: value}))
    refuse_foreign_scales(model, PATH)


def weights_of(n_channels, n_scales, axis=0, op_type="Conv"):
    """Return one layer whose weights, [n_channels, 3, 1, 1], come out of a DQ node."""
    zero = np.zeros(n_scales, np.int8)
    tensors = {"w": np.ones((n_channels, 3, 1, 1), np.int8), "scale": np.ones(n_scales, np.float32), "zero": zero}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["dq"], axis=axis),
        helper.make_node(op_type, ["x", "dq"], ["y"]),
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    return helper.make_model(helper.make_graph(nodes, "layer", [], [], constants))


@pytest.mark.parametrize(
    "model", [weights_of(5, 1), weights_of(5, 5), weights_of(5, 3, axis=1, op_type="ConvTranspose")]
)
def test_a_weight_has_one_scale_or_one_for_each_output_channel(model):
    refuse_foreign_scales(model, PATH)


@pytest.mark.parametrize(
    "model", [weights_of(5, 4), weights_of(5, 3, axis=1), weights_of(5, 5, op_type="ConvTranspose")]
)
def test_scales_along_anything_else_are_refused(model):
    with pytest.raises(ModelError, match=r"node dq .* has \d scales, where one, or one for each output channel"):
        refuse_foreign_scales(model, PATH)


def test_an_activation_has_one_scale():
    with pytest.raises(ModelError, match=r"features.q .* has 16 scales, where one"):
        refuse_foreign_scales(with_constant("features.scale", np.ones(16, np.float32)), PATH)
