"""SQNR is the one that the equation gives, layer by layer, and needs the network that was calibrated."""

from math import inf

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from calibration.layer_sqnr import layer_sqnr, quantised_layers, sqnr_db
from calibration.samples import feeds
from cvqe.errors import ModelError
from tests.engines import network_manifest
from tests.quantised import AMAX, SECOND, float_model, noisy_sample, quantised_model

SAMPLES = [noisy_sample("still", seed) for seed in range(2)]
WINDOWS = [feeds(sample, network_manifest()) for sample in SAMPLES]


@pytest.mark.parametrize("signal, noise, expected", [(100, 1, 20), (1, 1, 0), (1, 0, inf), (0, 0, inf), (0, 1, -inf)])
def test_sqnr_is_a_ratio_of_powers_in_db(signal, noise, expected):
    assert sqnr_db(signal, noise) == expected


def test_only_layers_that_read_dq_nodes_are_quantised():
    assert quantised_layers(quantised_model()) == {SECOND: SECOND}
    assert quantised_layers(float_model()) == {}


def test_the_error_of_uniform_rounding_is_found():
    (layer,) = layer_sqnr(float_model(), quantised_model(), WINDOWS)
    assert (layer.layer, layer.output) == (SECOND, SECOND)
    # rounded are noise of about six levels and a tenth of it (the other sign), in steps of AMAX / 127 = 0.19: each
    # is wrong by step^2 / 12, in eight channels alike, weighted with one half of 2 / 1.1
    step, signal = AMAX / 127, np.mean([np.square(_difference(sample)).mean() for sample in SAMPLES])
    expected = 10 * np.log10(signal / (2 * (1 / 1.1) ** 2 * step**2 / 12))
    assert layer.sqnr_db == pytest.approx(expected, abs=1)  # rounding is uniform in the mean only


def test_twice_the_step_costs_six_decibels():
    fine, coarse = (layer_sqnr(float_model(), quantised_model(amax=n * AMAX), WINDOWS)[0].sqnr_db for n in (1, 2))
    assert fine - coarse == pytest.approx(6, abs=1)


def test_a_layer_that_gives_its_channels_in_another_size_is_measured_as_if_it_did_not():
    scaled = quantised_model()
    for tensor in scaled.graph.initializer:
        if tensor.name == "second.weight.scale":
            tensor.CopyFrom(numpy_helper.from_array(3 * numpy_helper.to_array(tensor), tensor.name))
    plain, other = (layer_sqnr(float_model(), model, WINDOWS)[0].sqnr_db for model in (quantised_model(), scaled))
    assert other == pytest.approx(plain, abs=0.01)


def test_a_file_that_is_not_quantised_is_refused():
    with pytest.raises(ModelError, match="nothing is quantised"):
        layer_sqnr(float_model(), float_model(), WINDOWS)


def test_another_network_is_refused():
    other = float_model()
    for node in other.graph.node:
        node.output[:] = [name.replace(SECOND, "other") for name in node.output]
        node.input[:] = [name.replace(SECOND, "other") if name == SECOND else name for name in node.input]
    onnx.checker.check_model(other)
    with pytest.raises(ModelError, match="1 quantised layers, second first, have no counterpart"):
        layer_sqnr(other, quantised_model(), WINDOWS)


def _difference(sample) -> np.ndarray:
    return sample.window.mean(0) - sample.decoded
