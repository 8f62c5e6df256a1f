"""Gates come out of convolutions of their own, and the numbers stay what they were."""

import numpy as np
import openvino
import openvino.opset13 as ops
import pytest

from runtime.backends.openvino_gates import gates_before_split

CHANNELS, GATE = 8, 16
SIZE = (6, 9)
# sums of the same products, in an order that the wider or the narrower convolution prefers
ROUNDING = 1e-5


def filters(n: int, seed: int) -> openvino.Node:
    weights = np.random.default_rng(seed).normal(size=(n, CHANNELS, 3, 3)) / 8
    return ops.constant(weights.astype(np.float32))


def convolved(x: openvino.Node, n: int, seed: int) -> openvino.Node:
    return ops.convolution(x, filters(n, seed), [1, 1], [1, 1], [1, 1], [1, 1])


def gates(total: openvino.Node, n: int = 4) -> list[openvino.Output]:
    return ops.split(total, ops.constant(1), n).outputs()


def lstm_model(has_other_reader: bool = False, is_summed: bool = True) -> openvino.Model:
    """Return two steps that share the input's share of the gates, as both directions of the BRCLSTM do."""
    x, h, k = (ops.parameter([1, CHANNELS, *SIZE], np.float32, name=name) for name in "xhk")
    shared = ops.add(
        convolved(x, 4 * GATE, 0), ops.constant(np.arange(4 * GATE, dtype=np.float32)[None, :, None, None])
    )
    totals = [ops.add(shared, convolved(state, 4 * GATE, 1)) for state in (h, k)]
    if not is_summed:
        totals = [ops.relu(total) for total in totals]
    results = [ops.tanh(gate) for total in totals for gate in gates(total)]
    return openvino.Model([*results, ops.relu(shared)] if has_other_reader else results, [x, h, k])


def run(model: openvino.Model) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    inputs = [random.normal(size=(1, CHANNELS, *SIZE)).astype(np.float32) for _ in range(3)]
    results = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(inputs)
    return [results[output] for output in results]


def count(model: openvino.Model, kind: str) -> int:
    return sum(node.get_type_name() == kind for node in model.get_ops())


def test_each_gate_has_a_convolution_and_what_two_steps_share_is_computed_once():
    model = lstm_model()
    assert gates_before_split(model) == 2
    assert (count(model, "Split"), count(model, "Convolution")) == (0, 3 * 4)
    for ours, plain in zip(run(model), run(lstm_model()), strict=True):
        np.testing.assert_allclose(ours, plain, atol=ROUNDING)


@pytest.mark.parametrize("options", [{"has_other_reader": True}, {"is_summed": False}])
def test_a_sum_that_is_wanted_as_a_whole_is_left_alone(options):
    model = lstm_model(**options)
    assert gates_before_split(model) == 0
    assert (count(model, "Split"), count(model, "Convolution")) == (2, 3)


def test_filters_in_half_precision_are_found_behind_their_conversion():
    x = ops.parameter([1, CHANNELS, *SIZE], np.float32)
    half = ops.constant(np.full((2 * GATE, CHANNELS, 3, 3), 0.125, np.float16))
    wide = ops.convolution(x, ops.convert(half, np.float32), [1, 1], [1, 1], [1, 1], [1, 1])
    model = openvino.Model([ops.relu(gate) for gate in gates(wide, 2)], [x])
    assert gates_before_split(model) == 1
    assert count(model, "Convolution") == 2


def test_padding_strides_and_dilation_stay():
    x = ops.parameter([1, CHANNELS, 20, 20], np.float32)

    def made() -> openvino.Model:
        wide = ops.convolution(x, filters(2 * GATE, 3), [2, 2], [2, 1], [0, 3], [2, 2])
        return openvino.Model([ops.relu(gate) for gate in gates(wide, 2)], [x])

    changed = made()
    assert gates_before_split(changed) == 1
    values = np.random.default_rng(1).normal(size=(1, CHANNELS, 20, 20)).astype(np.float32)
    for ours, plain in zip(
        openvino.compile_model(changed, "CPU")([values]).values(),
        openvino.compile_model(made(), "CPU")([values]).values(),
        strict=True,
    ):
        np.testing.assert_allclose(ours, plain, atol=0.05)  # bfloat16 where the processor prefers it


@pytest.mark.parametrize("shape", [(1, 2 * GATE, 1, 1), (2 * GATE, 1, 1), (1, 1, 1, 1), (1, SIZE[1])])
def test_a_bias_of_any_rank_is_cut_where_its_channels_are(shape):
    x = ops.parameter([1, CHANNELS, *SIZE], np.float32)
    bias = np.random.default_rng(2).normal(size=shape).astype(np.float32)

    def made() -> openvino.Model:
        wide = ops.add(convolved(x, 2 * GATE, 3), ops.constant(bias))
        return openvino.Model([ops.relu(gate) for gate in gates(wide, 2)], [x])

    changed, values = made(), np.random.default_rng(1).normal(size=(1, CHANNELS, *SIZE)).astype(np.float32)
    assert gates_before_split(changed) == 1
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    results = [openvino.compile_model(model, "CPU", precise)([values]).values() for model in (changed, made())]
    for ours, plain in zip(*results, strict=True):
        np.testing.assert_allclose(ours, plain, atol=ROUNDING)


def test_integer_filters_stay_what_they_are():
    x = ops.parameter([1, CHANNELS, *SIZE], np.float32)
    integers = ops.constant(np.ones((2 * GATE, CHANNELS, 3, 3), np.int8))
    wide = ops.convolution(x, ops.convert(integers, np.float32), [1, 1], [1, 1], [1, 1], [1, 1])
    model = openvino.Model([ops.relu(gate) for gate in gates(wide, 2)], [x])
    assert gates_before_split(model) == 0
