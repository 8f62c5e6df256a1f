import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from cvqe.errors import ShapeError
from plugins.deform_conv.reference import bilinear, deform_conv
from tests.plugins.deform_conv.cases import Case, make_case

# outputs are near 1; ONNX Runtime sums up to 75 products in float32, and its coordinates below 64 are good to 4e-6 px
ORT_ATOL = 2e-5
FLOAT64_ATOL = 1e-12


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("height, width", [(17, 31), (1, 9), (9, 1), (1, 1)])
def test_equals_onnxruntime_at_odd_sizes(kernel, height, width):
    case = make_case(3, kernel, height, width, n=2)
    np.testing.assert_allclose(case.reference(), case.onnxruntime(), atol=ORT_ATOL, rtol=0)


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2},
        {"dilation": 2},
        {"stride": 2, "dilation": 2},
        {"group": 2, "offset_group": 4},
        {"offset_group": 1},
        {"group": 4, "offset_group": 2},
    ],
    ids=str,
)
def test_every_attribute_means_what_it_means_to_onnxruntime(options):
    case = make_case(4, 3, 13, 18, **options)
    np.testing.assert_allclose(case.reference(), case.onnxruntime(), atol=ORT_ATOL, rtol=0)


@pytest.mark.parametrize("absent", [["mask"], ["bias", "mask"]], ids=str)
def test_mask_and_bias_may_be_absent(absent):
    case = make_case(3, 3, 9, 11)
    case = Case({name: t for name, t in case.tensors.items() if name not in absent}, case.attributes)
    np.testing.assert_allclose(case.reference(), case.onnxruntime(), atol=ORT_ATOL, rtol=0)


def test_an_oblong_kernel_with_uneven_pads():
    rng = np.random.default_rng(0)
    x, weight = rng.random((1, 2, 8, 7), np.float32), rng.random((3, 2, 3, 2), np.float32)
    offset = rng.standard_normal((1, 2 * 6 * 2, 4, 8), np.float32)
    attributes = {"strides": (2, 1), "dilations": (1, 2), "pads": (1, 1, 0, 2), "group": 1, "offset_group": 2}
    case = Case({"x": x, "weight": weight, "offset": offset}, attributes)
    np.testing.assert_allclose(case.reference(), case.onnxruntime(), atol=ORT_ATOL, rtol=0)


def test_without_displacement_it_is_a_convolution():
    case = make_case(3, 3, 12, 10)
    x, weight, bias = (case.tensors[name] for name in ("x", "weight", "bias"))
    still = np.zeros_like(case.tensors["offset"])
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1])
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "w", "b")]
    graph = helper.make_graph([node], "conv", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x, "w": weight, "b": bias})[0]
    y = deform_conv(x, weight, still, bias, pads=(1, 1, 1, 1), offset_group=3)
    np.testing.assert_allclose(y, expected, atol=ORT_ATOL, rtol=0)


def test_bilinear_is_exact_on_a_ramp_and_fades_out_over_the_edge():
    ramp = np.arange(5.0) + 10 * np.arange(4.0)[:, None]
    samples = bilinear(ramp[None], np.array([1.25, 3.0, 3.5, -1.0]), np.array([2.5, 4.0, 4.0, 0.0]))
    np.testing.assert_allclose(samples, [[15.0, 34.0, 17.0, 0.0]], atol=FLOAT64_ATOL)


@pytest.mark.parametrize("far", [np.nan, np.inf, -np.inf, 3e38, -1e9, 2.0**31])
def test_taps_moved_out_of_the_picture_read_zero(far):
    case = make_case(3, 3, 6, 7)
    case.tensors["offset"][:, ::2] = far
    np.testing.assert_array_equal(case.reference(), np.broadcast_to(case.tensors["bias"][:, None, None], (1, 4, 6, 7)))


def test_the_result_has_the_type_of_x():
    case = make_case(2, 1, 4, 4)
    assert case.reference(np.float32).dtype == np.float32
    assert case.reference(np.float64).dtype == np.float64


def test_shapes_that_do_not_fit_are_refused_with_their_numbers():
    tensors = make_case(4, 3, 6, 7).tensors
    with pytest.raises(ShapeError, match=r"offset is .*72, 6, 7.*, not .*72, 4, 5"):
        deform_conv(**tensors, offset_group=4)
    with pytest.raises(ShapeError, match=r"4 channels.*offset_group 3"):
        deform_conv(**tensors, pads=(1, 1, 1, 1), offset_group=3)
    tensors["mask"] = tensors["mask"][:, :9]
    with pytest.raises(ShapeError, match=r"mask is .*9, 6, 7"):
        deform_conv(**tensors, pads=(1, 1, 1, 1), offset_group=4)
