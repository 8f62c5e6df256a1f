"""The plain nodes compute what the equation says, for every attribute, at every size."""

from importlib.util import find_spec

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from cvqe.errors import ModelError
from plugins.deform_conv.gather_nodes import with_gather_nodes
from plugins.deform_conv.onnx_nodes import with_custom_nodes
from plugins.tensorrt_modules import load_tensorrt
from tests.plugins.deform_conv.cases import Case, make_case

# relative to the largest output: float32 sums of at most 75 products; coordinates are exact
FP32_RTOL = 5e-6
# the inputs are half already; samples and sums are float32, so y is rounded once
HALF_STEPS = 0.5 + 1e-3
FAR_AWAY = (np.nan, np.inf, -np.inf, 3e38, -1e9, 2.0**31, 2.0**24 + 0.5)


def rewritten(case: Case) -> onnx.ModelProto:
    model = with_gather_nodes(onnx.load_from_string(case.model()))
    assert {node.op_type for node in model.graph.node}.isdisjoint({"DeformConv", "GridSample"})
    return model


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def assert_equals_the_reference(case: Case) -> None:
    expected = case.reference()
    y = run(rewritten(case), case.feeds())
    np.testing.assert_allclose(y, expected, atol=FP32_RTOL * np.abs(expected).max(), rtol=0)


def as_half(case: Case) -> tuple[Case, onnx.ModelProto]:
    """Return a case whose inputs half holds exactly, and its model in half."""
    case = Case({name: t.astype(np.float16).astype(np.float32) for name, t in case.tensors.items()}, case.attributes)
    model = onnx.load_from_string(case.model())
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    for tensor in model.graph.initializer:
        half = onnx.numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(onnx.numpy_helper.from_array(half, tensor.name))
    return case, model


@st.composite
def cases(draw: st.DrawFn) -> Case:
    offset_group, per_group = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([1, 2]))
    channels = offset_group * per_group
    group = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    case = make_case(
        channels,
        draw(st.sampled_from([1, 3, 5])),
        draw(st.integers(1, 13)),
        draw(st.integers(1, 13)),
        n=draw(st.integers(1, 2)),
        c_out=2 * group,
        offset_px=draw(st.sampled_from([0.0, 0.3, 2.0, 40.0])),
        stride=draw(st.integers(1, 3)),
        dilation=draw(st.integers(1, 3)),
        group=group,
        offset_group=offset_group,
        seed=draw(st.integers(0, 9)),
    )
    absent = draw(st.sampled_from([(), ("mask",), ("bias", "mask"), ("bias",)]))
    return Case({name: t for name, t in case.tensors.items() if name not in absent}, case.attributes)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_any_deform_conv_equals_the_equation(case):
    assert_equals_the_reference(case)


def test_an_oblong_kernel_with_uneven_pads_and_steps():
    rng = np.random.default_rng(0)
    x, weight = rng.random((1, 2, 8, 7), np.float32), rng.random((3, 2, 3, 2), np.float32)
    offset = rng.standard_normal((1, 2 * 6 * 2, 4, 8), np.float32)
    attributes = {"strides": (2, 1), "dilations": (1, 2), "pads": (1, 1, 0, 2), "group": 1, "offset_group": 2}
    assert_equals_the_reference(Case({"x": x, "weight": weight, "offset": offset}, attributes))


def test_a_wide_picture_is_read_without_rounding_a_coordinate():
    assert_equals_the_reference(make_case(3, 3, 4, 3001))


@pytest.mark.parametrize("far", FAR_AWAY)
@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_moved_out_of_the_picture_reads_zero(far, axis):
    case = make_case(3, 3, 6, 7)
    case.tensors["offset"][:, axis::2] = far
    y = run(rewritten(case), case.feeds())
    np.testing.assert_array_equal(y, np.broadcast_to(case.tensors["bias"][:, None, None], (1, 4, 6, 7)))


def test_an_infinite_pixel_spoils_only_those_that_read_it():
    case = make_case(1, 1, 5, 6, offset_px=0.0)
    case.tensors["x"][0, 0, 0, 0] = np.inf
    case.tensors["offset"][:, :, 2:] = np.nan
    y = run(rewritten(case), case.feeds())
    assert np.isfinite(y[:, :, 2:]).all()


@pytest.mark.parametrize("channels, kernel, offset_group", [(3, 1, 3), (3, 5, 3), (8, 3, 2)])
def test_half_rounds_the_result_alone(channels, kernel, offset_group):
    case, model = as_half(make_case(channels, kernel, 9, 1301, offset_group=offset_group))
    expected = case.reference()
    y = run(with_gather_nodes(model), {name: t.astype(np.float16) for name, t in case.feeds().items()})
    assert y.dtype == np.float16
    step = np.spacing(np.abs(expected).astype(np.float16)).astype(np.float64)
    assert (np.abs(y - expected) <= HALF_STEPS * step + FP32_RTOL * np.abs(expected).max()).all()


def test_one_graph_serves_every_size():
    case = make_case(3, 3, 5, 6)
    model = rewritten(case)
    for height, width in [(1, 1), (2, 9), (17, 31)]:
        other = make_case(3, 3, height, width, seed=1)
        other.tensors.update({name: case.tensors[name] for name in ("weight", "bias")})
        expected = other.reference()
        y = run(model, other.feeds())
        np.testing.assert_allclose(y, expected, atol=FP32_RTOL * np.abs(expected).max(), rtol=0)


def test_tensorrt_rtx_builds_it_with_sizes_left_free():
    if find_spec("tensorrt_rtx") is None:
        pytest.skip("TensorRT-RTX is not installed")
    trt = load_tensorrt("tensorrt-rtx")
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    _, model = as_half(make_case(4, 3, 9, 8, offset_group=2))
    is_parsed = parser.parse(with_gather_nodes(model).SerializeToString())
    assert is_parsed, [parser.get_error(i).desc() for i in range(parser.num_errors)]
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM89, 0)  # a GPU's own can't be asked for without one
    for tensor in (network.get_input(i) for i in range(network.num_inputs)):
        profile.set_shape(tensor.name, *([*tensor.shape[:2], side, side] for side in (8, 64, 720)))
    config.add_optimization_profile(profile)
    assert builder.build_serialized_network(network, config) is not None


def test_a_type_that_no_network_has_is_refused():
    model = onnx.load_from_string(make_case(2, 1, 4, 4).model())
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    with pytest.raises(ModelError, match="of type DOUBLE; float32 or float16 was expected"):
        with_gather_nodes(model)


def test_weights_of_unknown_size_are_refused():
    model = onnx.load_from_string(make_case(2, 1, 4, 4).model())
    del model.graph.initializer[0]
    model.graph.input.append(helper.make_tensor_value_info("weight", TensorProto.FLOAT, [None, 2, 1, 1]))
    with pytest.raises(ModelError, match="four known sizes were expected"):
        with_gather_nodes(model)


def test_our_own_nodes_are_left_alone():
    custom = with_custom_nodes(onnx.load_from_string(make_case(2, 1, 4, 4).model()))
    assert with_gather_nodes(custom) == custom
