"""What runs a quantised network here is found by trying."""

import numpy as np
import pytest

from calibration.computing import EMULATED_BY, computing_backend, engine_for, enhanced_luma, model_in_memory
from cvqe.errors import ModelError
from runtime import backend_list
from tests.quantised import float_model, noisy_sample, quantised_model


def test_int8_is_computed_by_the_fastest_backend_that_is_installed(monkeypatch):
    model = model_in_memory(quantised_model(), "small")
    assert computing_backend(model) == "openvino"
    real = backend_list.installed_version
    monkeypatch.setattr(
        "calibration.computing.installed_version", lambda name: None if name == "openvino" else real(name)
    )
    assert computing_backend(model) == "onnxruntime"


def test_nothing_here_computes_in_fp8_and_its_rounding_is_emulated():
    model, sample = model_in_memory(quantised_model("fp8"), "small"), noisy_sample("still")
    assert computing_backend(model) is None
    rounded = enhanced_luma(engine_for(model, sample.pristine.shape, EMULATED_BY), sample)
    exact = engine_for(model_in_memory(float_model(), "small"), sample.pristine.shape, EMULATED_BY)
    difference = np.abs(rounded.astype(int) - enhanced_luma(exact, sample))
    assert 0 < difference.max() <= 2  # a sixteenth of the noise, of some twenty levels at most


def test_a_picture_with_a_nan_is_no_number_everywhere():
    model = quantised_model(amax=float("nan"))
    sample = noisy_sample("still")
    engine = engine_for(model_in_memory(model, "small"), sample.pristine.shape, "onnxruntime")
    assert np.isnan(enhanced_luma(engine, sample)).all()


def test_a_foreign_model_is_refused():
    model = float_model()
    del model.metadata_props[:]
    with pytest.raises(ModelError, match="reference carries no cvqe metadata"):
        model_in_memory(model, "reference")
