"""A guide is rounded once in bfloat16, where a convolution needs it so, and not before."""

import numpy as np
import openvino
import openvino.opset13 as ops
import pytest

from cvqe.errors import BackendError
from runtime.backends.openvino_guide import guide_without_scaling

GUIDE = np.random.default_rng(0).random((1, 1, 16, 64), np.float32) * 255


def guided_model(scaling) -> openvino.Model:
    """Scale the guide and put it through a convolution that changes nothing."""
    guide = ops.parameter([1, 1, 16, 64], np.float32, name="guide")
    guide.output(0).set_names({"guide"})
    weight = np.zeros((16, 1, 3, 3), np.float32)
    weight[:, 0, 1, 1] = 1
    features = ops.convolution(scaling(guide), ops.constant(weight), [1, 1], [1, 1], [1, 1], [1, 1])
    return openvino.Model([features], [guide])


def run(model: openvino.Model, guide: np.ndarray, precision: str) -> np.ndarray:
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    return compiled([guide])[0][:, :1].copy()


@pytest.mark.parametrize(
    "scaling",
    [
        lambda guide: ops.multiply(guide, ops.constant(np.float32(1 / 255))),
        lambda guide: ops.divide(guide, ops.constant(np.float32(255))),
    ],
)
def test_the_graph_reads_the_guide_as_it_was_scaled_outside(scaling):
    model = guided_model(scaling)
    guide_without_scaling(model)
    assert not {node.get_type_name() for node in model.get_ops()} & {"Multiply", "Divide"}
    np.testing.assert_array_equal(run(model, GUIDE / 255, "f32"), GUIDE / 255)
    half_a_step = 2.0**-9  # of bfloat16, whose mantissa has 8 bits, below 1
    assert np.abs(run(model, GUIDE / 255, "bf16") - GUIDE / 255).max() <= half_a_step


@pytest.mark.parametrize("reading", [lambda guide: guide, lambda guide: ops.divide(ops.constant(np.float32(1)), guide)])
def test_a_graph_that_does_not_scale_its_guide_is_refused_in_a_sentence(reading):
    with pytest.raises(BackendError, match=r"guide is read by \w+ .* was expected.*--backend onnxruntime"):
        guide_without_scaling(guided_model(reading))
