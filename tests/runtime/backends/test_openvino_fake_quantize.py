"""Pairs become one FakeQuantize, and an int8 convolution behind them gives the sums of the rounded tensor."""

import numpy as np
import openvino
import openvino.opset13 as ops
import pytest

from runtime.backends.openvino_fake_quantize import pairs_to_fake_quantize

SCALE = np.float32(2**-7)
HALF, ALL = 32, 64  # channels of a tensor and of two that are joined
SHAPE = (1, HALF, 9, 11)
TENSORS = np.random.default_rng(0).normal(0, 0.3, (2, *SHAPE)).astype(np.float32)
WEIGHT = np.random.default_rng(1).integers(-127, 128, (HALF, ALL, 3, 3)).astype(np.int8)
STEP = np.float32(2**-12)
SUMS_ATOL = 1e-4  # of numbers about 1: what summing 576 products in another order may change
# type, the values it holds, its zero point
KINDS = {"i8": (-128, 127, 0), "u8": (0, 255, 128)}
NUMPY = {"i8": np.int8, "u8": np.uint8}


def pair(x, kind="i8", span=None):
    low, high, zero = KINDS[kind]
    low, high = span or (low, high)
    ends = [(low - zero) * SCALE, (high - zero) * SCALE, low, high]
    rounded = ops.fake_quantize(x, *(ops.constant(np.float32(end)) for end in ends), high - low + 1)
    back = ops.convert(ops.convert(rounded, kind), "f32")
    shift = ops.convert(ops.constant(np.array(zero, NUMPY[kind])), "f32")
    return ops.multiply(ops.subtract(back, shift), ops.constant(SCALE))


def convolution(x):
    weight = ops.multiply(ops.convert(ops.constant(WEIGHT), "f32"), ops.constant(np.full((HALF, 1, 1, 1), STEP)))
    return ops.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1])


def joined_model(end):
    inputs = [ops.parameter(SHAPE, np.float32) for _ in TENSORS]
    return openvino.Model([end(inputs)], inputs)


def run(model, tensors=TENSORS):
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    return compiled(list(tensors))[0]


def rounded(tensors):
    return np.clip(np.round(tensors / SCALE), -128, 127) * SCALE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("n_pairs", "read"),
    [
        (1, lambda inputs, kind: pair(ops.concat(inputs, 1), kind)),
        (1, lambda inputs, kind: pair(ops.relu(ops.concat(inputs, 1)), kind)),
        (2, lambda inputs, kind: ops.concat([pair(each, kind) for each in inputs], 1)),
    ],
    ids=["behind", "behind-relu", "in-front"],
)
def test_a_pair_next_to_a_concatenation_keeps_its_scale(kind, n_pairs, read, request):
    has_relu = request.node.callspec.id.startswith("behind-relu")
    expected = run(
        joined_model(lambda inputs: convolution(ops.concat(inputs, 1))),
        rounded(np.maximum(TENSORS, 0) if has_relu else TENSORS),
    )
    model = joined_model(lambda inputs: convolution(read(inputs, kind)))
    assert pairs_to_fake_quantize(model) == n_pairs
    np.testing.assert_allclose(run(model), expected, rtol=0, atol=SUMS_ATOL)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rounded_tensor_is_the_same(kind):
    inputs = ops.parameter(SHAPE, np.float32)
    model = openvino.Model([pair(inputs, kind)], [inputs])
    assert pairs_to_fake_quantize(model) == 1
    assert model.outputs[0].get_node().input_value(0).get_node().get_type_name() == "FakeQuantize"
    np.testing.assert_allclose(run(model, TENSORS[:1]), rounded(TENSORS[0]), rtol=0, atol=SCALE * 1e-4)


def test_rounded_weights_and_pairs_that_fill_no_type_are_left_alone():
    inputs = ops.parameter((1, ALL, 9, 11), np.float32)
    model = openvino.Model([convolution(pair(inputs, span=(-127, 127)))], [inputs])
    assert pairs_to_fake_quantize(model) == 0
