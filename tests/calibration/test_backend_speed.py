"""Every backend that runs both files is timed."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from calibration.backend_speed import backend_speeds
from calibration.computing import model_in_memory
from tests.quantised import LEVELS, float_model, noisy_sample, quantised_model

SAMPLE = noisy_sample("still", size=(20, 30))


def test_each_backend_is_timed_in_each_precision_that_it_has():
    exact, rounded = model_in_memory(float_model(), "small"), model_in_memory(quantised_model(), "small_int8")
    found = list(backend_speeds(exact, rounded, SAMPLE, [(24, 32)], rounds=3))
    engines = [(each.backend, each.precision) for each in found]
    assert {("openvino", "fp32"), ("openvino", "int8"), ("onnxruntime", "fp32"), ("onnxruntime", "int8")} <= {*engines}
    for each in found:
        assert each.size == "32x24"
        assert each.frames_per_s == pytest.approx(1000 / each.ms_per_frame)
        assert each.speedup == 1 or each.precision != ("bf16" if ("openvino", "bf16") in engines else "fp32")


def test_a_precision_that_nothing_here_computes_in_has_no_speed():
    exact, rounded = model_in_memory(float_model(), "small"), model_in_memory(quantised_model("fp8"), "small_fp8")
    assert list(backend_speeds(exact, rounded, SAMPLE, [(24, 32)], rounds=3)) == []


def counting_words(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let the network count its levels by an operator that OpenVINO does not know."""
    (levels,) = (tensor for tensor in model.graph.initializer if tensor.name == "levels")
    model.graph.initializer.remove(levels)
    model.graph.initializer.append(numpy_helper.from_array(np.ones(int(LEVELS), np.int64), "words"))
    words = {"ngram_counts": [0], "ngram_indexes": [0], "pool_int64s": [1]}
    lengths = {"min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0}
    node = helper.make_node("TfIdfVectorizer", ["words"], ["levels"], "count", mode="TF", **words, **lengths)
    model.graph.node.insert(0, node)
    return model


def test_a_backend_that_refuses_the_files_is_passed_over(caplog):
    exact = model_in_memory(counting_words(float_model()), "small")
    rounded = model_in_memory(counting_words(quantised_model()), "small_int8")
    found = list(backend_speeds(exact, rounded, SAMPLE, [(24, 32)], rounds=1))
    assert {each.backend for each in found} == {"onnxruntime"}
    assert "openvino is not timed: OpenVINO can't run small.onnx" in caplog.text
