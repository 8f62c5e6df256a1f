import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from calibration.activations import Tap
from calibration.folded import folded_model
from calibration.formats import FORMATS, FP8, INT8
from calibration.placement import Placement, place
from calibration.qdq import quantised_inputs, with_qdq
from cvqe.pixels import FLOAT_LUMA
from tests.calibration.graphs import residual_net, windows

# one level of 255: rounding costs half of that here, in either format
LUMA_ATOL = 1 / 255


def quantised(to: str = "int8", keep: tuple[str, ...] = ()) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    model = folded_model(residual_net())
    placement = place(model, keep=keep)
    amax = dict.fromkeys(quantised_inputs(model, placement), 4.0)
    return model, with_qdq(model, placement, amax, FORMATS[to])


def nodes_by_output(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {output: node for node in model.graph.node for output in node.output}


def test_a_quantised_convolution_reads_its_input_and_weights_through_dq():
    _, model = quantised()
    made_by = nodes_by_output(model)
    for name in ("second", "third"):
        assert [made_by[source].op_type for source in made_by[name].input[:2]] == ["DequantizeLinear"] * 2
    for name in ("first", "last"):
        assert all(made_by[source].op_type != "DequantizeLinear" for source in made_by[name].input if source in made_by)


def test_the_skip_of_a_residual_sum_is_the_rounded_tensor():
    _, model = quantised()
    made_by = nodes_by_output(model)
    assert made_by["second"].input[0] in made_by["sum"].input


@pytest.mark.parametrize("to, stored", [("int8", TensorProto.INT8), ("fp8", TensorProto.FLOAT8E4M3FN)])
def test_weights_are_stored_rounded_with_a_scale_for_every_channel_and_zero_points_of_zero(to, stored):
    _, model = quantised(to)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    assert constants["second.weight/quantized"].data_type == stored
    assert constants["second.weight/scale"].dims == [32]
    assert "second.weight" not in constants
    points = [tensor for name, tensor in constants.items() if name.endswith("/zero_point")]
    assert points and not any(np.any(numpy_helper.to_array(each).astype(np.float32)) for each in points)


@pytest.mark.parametrize("to", FORMATS)
def test_the_network_draws_nearly_the_same(to):
    exact, rounded = (Tap(model, [FLOAT_LUMA]) for model in quantised(to))
    error = max(float(np.abs(exact(feeds)[0] - rounded(feeds)[0]).max()) for feeds in windows())
    assert 0 < error < LUMA_ATOL


def test_the_same_graph_is_written_twice_alike():
    assert quantised()[1].SerializeToString() == quantised()[1].SerializeToString()


def test_only_those_that_are_chosen_are_written():
    model = folded_model(residual_net())
    one = with_qdq(model, Placement(("third",), {}), {"second.leaky": 4.0}, INT8)
    assert [node.op_type for node in one.graph.node].count("QuantizeLinear") == 1


def test_int8_saturates_and_e4m3_rounds_to_three_bits_of_mantissa():
    assert INT8.store(np.array([-300, -0.6, 0.4, 126.6, 900], np.float32)).tolist() == [-127, -1, 0, 127, 127]
    stored = FP8.store(np.array([1.05, 17.3, 1000], np.float32)).astype(np.float32)
    assert stored.tolist() == [1.0, 18.0, 448.0]
