"""Under OpenVINO a calibrated file's convolutions are computed in int8, and what lies between them in 16 bits."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openvino
import pytest

from cvqe.metrics import psnr_db
from runtime.backends.openvino_cpu import OpenVinoEngine
from runtime.engine import EngineRequest
from runtime.model_file import load_model_file
from tests.quantised import SECOND, noisy_sample, save_pair

SIZE = (40, 56)
OFFERED = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
# rounded to whole levels both, of a picture with bfloat16 around its int8 convolution
LEVELS_APART = 1
WEIGHTS = Path(__file__).resolve().parents[3] / "weights"
SHIPPED = sorted(WEIGHTS.glob("*_int8.onnx"))
# between backends: bfloat16 around the int8 layers leaves 55 dB and more, one layer rounded to a wrong scale 42
AGREEMENT_DB = 50.0


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return save_pair(tmp_path_factory.mktemp("pair"))


def engine_of(path, bit_depth=8):
    return OpenVinoEngine(EngineRequest(load_model_file(path), *SIZE, bit_depth, threads=1))


def layers(engine: OpenVinoEngine) -> Iterator[tuple[str, str, str]]:
    """Yield kind, precision and the ONNX nodes of every layer as it is executed."""
    for node in engine._request.get_compiled_model().get_runtime_model().get_ordered_ops():
        told = node.get_rt_info()
        yield tuple(told[name].astype(str) for name in ("layerType", "runtimePrecision", "originalLayersNames"))


@pytest.mark.skipif("INT8" not in OFFERED, reason="this CPU computes nothing in int8")
def test_the_quantised_convolution_alone_is_computed_in_int8(pair):
    found = {
        names.split(",")[0].split("/")[0]: of for kind, of, names in layers(engine_of(pair[1])) if kind == "Convolution"
    }
    around = "bf16" if "BF16" in OFFERED else "f32"
    assert found[SECOND] in ("i8", "u8")
    assert found["first"] == around


@pytest.mark.skipif("INT8" not in OFFERED, reason="this CPU computes nothing in int8")
def test_its_weights_stay_in_int8(pair):
    assert any(kind == "Const" and precision == "i8" for kind, precision, _ in layers(engine_of(pair[1])))


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_both_backends_give_the_same_picture(pair, bit_depth):
    from runtime.backends.onnxruntime_cpu import OnnxRuntimeEngine

    sample = noisy_sample("still", size=SIZE)
    window = sample.window if bit_depth == 8 else (4 * sample.window.astype("<u2"))[..., None].view(np.uint8)
    request = EngineRequest(load_model_file(pair[1]), *SIZE, bit_depth, threads=1)
    found = [engine(request).enhance(window).luma for engine in (OpenVinoEngine, OnnxRuntimeEngine)]
    one, other = (each.astype(int) if bit_depth == 8 else each.view("<u2")[..., 0].astype(int) for each in found)
    assert np.abs(one - other).max() <= LEVELS_APART * 4 ** (bit_depth == 10)


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_what_is_shipped_gives_the_same_picture_by_both_backends(path):
    from runtime.backends.onnxruntime_cpu import OnnxRuntimeEngine

    model = load_model_file(path)
    window = noisy_sample("still", size=SIZE).window[: model.manifest.window_frames]
    units = np.zeros(SIZE, np.float32)
    units[::8] = units[:, ::8] = 255
    request = EngineRequest(model, *SIZE, threads=1)
    one, other = (engine(request).enhance(window, 37.0, units).luma for engine in (OpenVinoEngine, OnnxRuntimeEngine))
    assert psnr_db(one, other) > AGREEMENT_DB
