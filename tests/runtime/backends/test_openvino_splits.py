"""Splits become convolutions, and no bit of the picture changes."""

import numpy as np
import openvino
import openvino.opset13 as ops
import pytest

from runtime.backends.openvino_splits import splits_to_convolutions


def split_model(channels: int, lengths: list[int], axis: int = 1) -> openvino.Model:
    x = ops.parameter([1, channels, 5, 7], np.float32, name="x")
    split = ops.variadic_split(ops.relu(x), ops.constant(axis), ops.constant(lengths))
    return openvino.Model([ops.multiply(part, ops.constant(np.float32(0.5))) for part in split.outputs()], [x])


def run(model: openvino.Model, x: np.ndarray) -> list[np.ndarray]:
    results = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([x])
    return [results[output] for output in results]


@pytest.mark.parametrize("lengths", [[32, 32], [16, 48], [16, 16, 32]])
def test_parts_are_the_same_to_the_bit(lengths):
    x = np.random.default_rng(0).normal(size=(1, 64, 5, 7)).astype(np.float32)
    before = run(split_model(64, lengths), x)
    model = split_model(64, lengths)
    assert splits_to_convolutions(model) == 1
    kinds = [node.get_type_name() for node in model.get_ops()]
    assert "VariadicSplit" not in kinds
    assert kinds.count("Convolution") == len(lengths)
    for a, b in zip(before, run(model, x), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("channels, lengths, axis", [(9, [6, 3], 1), (64, [2, 3], 2)])
def test_narrow_splits_and_other_axes_are_left_alone(channels, lengths, axis):
    assert splits_to_convolutions(split_model(channels, lengths, axis)) == 0
