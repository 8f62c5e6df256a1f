"""Slices move before the conversion, and no bit of what they give changes."""

import numpy as np
import openvino
import openvino.opset13 as ops
import pytest

from runtime.backends.openvino_slices import slices_before_conversion

FRAMES = np.random.default_rng(0).integers(0, 256, (1, 7, 5, 6)).astype(np.uint8)


def frames_of(value, first, last, step):
    return ops.slice(value, *(ops.constant([number]) for number in (first, last, step, 1)))


def sliced_model(slices, scale=1 / 255):
    window = ops.parameter([1, 7, 5, 6], np.uint8, name="window")
    luma = ops.multiply(ops.convert(window, "f32"), ops.constant(np.asarray(scale, np.float32)))
    return openvino.Model([frames_of(luma, *places) for places in slices], [window])


def run(model):
    results = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([FRAMES])
    return [results[output] for output in results]


def producers(model):
    return [model.outputs[i].get_node().input_value(0).get_node().get_type_name() for i in range(len(model.outputs))]


@pytest.mark.parametrize("slices", [[(3, 7, 1)], [(3, 4, 1), (4, 7, 2)], [(0, 7, 1)]])
def test_what_is_taken_is_the_same_to_the_bit(slices):
    before = run(sliced_model(slices))
    model = sliced_model(slices)
    assert slices_before_conversion(model) == len(slices)
    assert producers(model) == ["Multiply"] * len(slices)
    for a, b in zip(before, run(model), strict=True):
        np.testing.assert_array_equal(a, b)


def paired_model(slices):
    """Join byte pairs as an exported graph does: low and high bytes of one input, times the range, over a peak."""
    window = ops.parameter([1, 7, 5, 3, 2], np.uint8, name="window")
    peak = ops.parameter([], np.float32, name="peak")
    both = ops.convert(window, "f32")
    low, high = (ops.gather(both, ops.constant(np.int64(which)), ops.constant(np.int64(-1))) for which in (0, 1))
    luma = ops.divide(ops.add(low, ops.multiply(high, ops.constant(np.float32(256)))), peak)
    return openvino.Model([frames_of(luma, *places) for places in slices], [window, peak])


@pytest.mark.parametrize("slices", [[(3, 4, 1)], [(3, 7, 1), (4, 7, 2)]])
def test_byte_pairs_are_taken_before_they_are_joined(slices):
    def run_pairs(model):
        compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        results = compiled({"window": FRAMES.reshape(1, 7, 5, 3, 2), "peak": np.float32(1023)})
        return [results[output] for output in results]

    before = run_pairs(paired_model(slices))
    model = paired_model(slices)
    assert slices_before_conversion(model) == len(slices)
    assert producers(model) == ["Divide"] * len(slices)
    for a, b in zip(before, run_pairs(model), strict=True):
        np.testing.assert_array_equal(a, b)


def test_slices_of_anything_computed_are_left_alone():
    window = ops.parameter([1, 7, 5, 6], np.uint8, name="window")
    features = ops.relu(ops.convert(window, "f32"))
    assert slices_before_conversion(openvino.Model([frames_of(features, 0, 2, 1)], [window])) == 0
    per_channel = np.linspace(0.1, 0.7, 7, dtype=np.float32).reshape(1, 7, 1, 1)
    assert slices_before_conversion(sliced_model([(0, 2, 1)], per_channel)) == 0


def test_slices_of_the_bytes_themselves_need_no_move():
    window = ops.parameter([1, 7, 5, 6], np.uint8, name="window")
    assert slices_before_conversion(openvino.Model([frames_of(window, 0, 2, 1)], [window])) == 0
