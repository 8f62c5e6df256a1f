"""The two CPU backends: same picture, any size, clear refusals."""

import importlib.metadata
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from cvqe.errors import BackendError, ModelError, ShapeError, UsageError
from cvqe.metrics import psnr_db
from export.verify import made_up_window
from runtime import backend_list
from runtime import engine as engine_module
from runtime.backend_list import BACKENDS, installed_version
from runtime.engine import EngineRequest, open_engine
from runtime.model_choice import versions_named
from runtime.model_file import ModelFile, find_model, load_model_file
from tests.engines import network_manifest, save_engine
from tests.guided import save_guided_network
from training.luma_clips import load_luma

LEVELS_APART = 1  # float32 sums in another order: a luma near a half level may round to either side
BF16_LOSS_DB = 0.01
INT8_LOSS_DB = 0.05  # what the gate lets through
# rounded to whole levels both; coordinates in bfloat16 would land pixels away and give 30 dB
BF16_PSNR_DB = 50.0
DEMO_QP = 37.0
NO_DRIVER = "there is no NVIDIA driver here"
SIZES = [(2, 2), (3, 5), (17, 31), (64, 48)]


def window_of(height: int, width: int, bit_depth: int = 8) -> np.ndarray:
    _, levels = made_up_window(7, (height, width), 2**bit_depth - 1)
    return levels.astype(np.uint8) if bit_depth == 8 else levels.astype("<u2")[..., None].view(np.uint8)


def enhance(
    path, backend: str, window: np.ndarray, precision: str = "fp32", bit_depth: int = 8, qp: float | None = 35.0
) -> np.ndarray:
    request = EngineRequest(load_model_file(path), window.shape[1], window.shape[2], bit_depth, precision, threads=2)
    enhanced = open_engine(request, backend).engine.enhance(window, qp)
    assert enhanced.is_finite
    return enhanced.luma


def as_levels(luma: np.ndarray) -> np.ndarray:
    return luma.astype(int) if luma.ndim == 2 else luma[..., 0].astype(int) + 256 * luma[..., 1].astype(int)


@pytest.mark.parametrize("network", ["live_onnx", "tgafnet_onnx"])
@pytest.mark.parametrize("size", SIZES)
def test_both_backends_give_the_same_picture_at_its_own_size(network, size, request):
    path, window = request.getfixturevalue(network), window_of(*size)
    by_openvino, by_onnxruntime = (enhance(path, backend, window) for backend in ("openvino", "onnxruntime"))
    assert by_openvino.shape == by_onnxruntime.shape == size
    assert by_openvino.dtype == np.uint8
    assert np.abs(by_openvino.astype(int) - by_onnxruntime).max() <= LEVELS_APART
    assert np.abs(by_openvino.astype(int) - window[3]).max() > 2  # the network did something


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_ten_bits_come_out_as_byte_pairs_from_the_same_file(live_onnx, backend):
    deep = as_levels(enhance(live_onnx, backend, window_of(24, 40, 10), bit_depth=10))
    shallow = as_levels(enhance(live_onnx, backend, window_of(24, 40)))
    assert deep.max() > 255
    # the same picture twice: two bits finer, so the coarse one is at most its own rounding and its input's away
    assert np.abs(deep / 1023 - shallow / 255).mean() < 1.5 / 255


@pytest.mark.parametrize("version, allowed_db", [("auto", BF16_LOSS_DB), ("int8", INT8_LOSS_DB)])
def test_fewer_bits_cost_next_to_nothing_on_the_shipped_network_and_real_frames(version, allowed_db):
    demo = Path(__file__).resolve().parents[2] / "docs" / "demo"
    decoded, pristine = (load_luma(demo / name)[:7] for name in ("demo_qp37.mp4", "demo_original.mkv"))
    in_few, in_fp32 = (
        psnr_db(pristine[3], open_engine(request, "openvino").engine.enhance(decoded, DEMO_QP).luma)
        for precision in (version, "fp32")
        for model in versions_named("live", precision)
        for request in [EngineRequest(model, *decoded.shape[1:], precision=precision, threads=2)]
    )
    assert in_fp32 - psnr_db(pristine[3], decoded[3]) > 0.1  # there is a gain to lose
    assert abs(in_fp32 - in_few) < allowed_db


def test_bf16_keeps_a_deformable_network_close(tgafnet_onnx):
    window = window_of(96, 128)
    by_bf16 = enhance(tgafnet_onnx, "openvino", window, precision="auto")
    by_fp32 = enhance(tgafnet_onnx, "openvino", window)
    assert psnr_db(by_fp32, by_bf16) > BF16_PSNR_DB


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_the_result_is_the_callers_own(live_onnx, backend):
    request = EngineRequest(load_model_file(live_onnx), 16, 16, precision="fp32")
    engine = open_engine(request, backend).engine
    first = engine.enhance(window_of(16, 16), 33).luma
    kept = first.copy()
    engine.enhance(255 - window_of(16, 16), 36)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_nan_inside_the_network_is_noticed(tmp_path, backend):
    import torch

    from cvqe.checkpoint import Checkpoint
    from export.exporter import ExportConfig, build_model, manifest_of, write
    from tests.networks import QPS, made_up_network

    network = made_up_network("live")
    with torch.no_grad():
        network.tail.bias.fill_(float("nan"))
    checkpoint = Checkpoint("live", network.state_dict(), "")
    model = build_model(network, manifest_of(checkpoint, network, ExportConfig(qp=QPS)))
    request = EngineRequest(load_model_file(write(model, tmp_path / "nan.onnx")), 16, 16, precision="fp32")
    assert not open_engine(request, backend).engine.enhance(window_of(16, 16), 35).is_finite


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_the_qp_reaches_the_network_within_what_it_was_trained_on(live_onnx, backend, bit_depth):
    window = window_of(16, 24, bit_depth)
    at = {qp: enhance(live_onnx, backend, window, bit_depth=bit_depth, qp=qp) for qp in (-3, 32, 34.5, 37, 51)}
    np.testing.assert_array_equal(at[-3], at[32])
    np.testing.assert_array_equal(at[51], at[37])
    assert not np.array_equal(at[32], at[37])
    assert not np.array_equal(at[32], at[34.5])


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("qp", [None, float("nan"), float("inf")])
def test_a_qp_that_is_none_is_refused(live_onnx, backend, qp):
    with pytest.raises(UsageError, match=r"takes a QP|be told a QP of"):
        enhance(live_onnx, backend, window_of(16, 16), qp=qp)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_network_that_takes_no_qp_ignores_it(tgafnet_onnx, backend):
    windows = [enhance(tgafnet_onnx, backend, window_of(16, 16), qp=qp) for qp in (None, 22.0, float("nan"))]
    np.testing.assert_array_equal(windows[0], windows[1])
    np.testing.assert_array_equal(windows[0], windows[2])


def given(path, backend: str, frames: np.ndarray, bit_depth: int, guide: np.ndarray | None) -> np.ndarray:
    """Return the levels that a network which hands out what it was given gives."""
    request = EngineRequest(load_model_file(path), *frames.shape[1:3], bit_depth, "fp32", threads=2)
    return as_levels(open_engine(request, backend).engine.enhance(frames, guide=guide).luma)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("stored", [8, 16])
def test_the_guide_reaches_the_network_in_levels_of_its_own_depth(tmp_path, backend, bit_depth, stored):
    path = save_guided_network(tmp_path / "guide.onnx", bit_depth=stored)
    frames = window_of(17, 31, bit_depth)[:3]
    guide = np.random.default_rng(0).random((17, 31), np.float32) * np.float32(2**bit_depth - 1)
    found = given(path, backend, frames, bit_depth, guide)
    assert np.abs(found - guide).max() < 0.501
    strided = np.repeat(np.repeat(guide, 2, 0), 2, 1)[::2, ::2]
    np.testing.assert_array_equal(given(path, backend, frames, bit_depth, strided), found)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("shown", [0, 1, 2])
def test_windows_of_every_other_frame_arrive_as_they_are(tmp_path, backend, bit_depth, shown):
    path = save_guided_network(tmp_path / "shown.onnx", shows=shown)
    ring, guide = window_of(17, 31, bit_depth), np.zeros((17, 31), np.float32)
    assert not ring[::2].flags.c_contiguous
    np.testing.assert_array_equal(given(path, backend, ring[1:6:2], bit_depth, guide), as_levels(ring[1 + 2 * shown]))


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_guide_that_is_none_or_of_another_size_is_refused(tmp_path, backend):
    path, frames = save_guided_network(tmp_path / "guide.onnx"), window_of(16, 16)[:3]
    with pytest.raises(UsageError, match="small takes a guide with every window, and none was given"):
        given(path, backend, frames, 8, None)
    with pytest.raises(ShapeError, match=r"float64 \[16, 16\]; float32 \[16, 16\] was expected"):
        given(path, backend, frames, 8, np.zeros((16, 16)))
    with pytest.raises(ShapeError, match=r"float32 \[1, 16\]; float32 \[16, 16\] was expected"):
        given(path, backend, frames, 8, np.zeros((1, 16), np.float32))


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_network_that_takes_no_guide_ignores_it(tgafnet_onnx, backend):
    request = EngineRequest(load_model_file(tgafnet_onnx), 16, 16, precision="fp32", threads=2)
    engine, window = open_engine(request, backend).engine, window_of(16, 16)
    guided, unguided = (engine.enhance(window, guide=guide).luma for guide in (np.zeros(3, np.float32), None))
    np.testing.assert_array_equal(guided, unguided)


@pytest.mark.parametrize("takes_guide", [False, True])
def test_a_file_takes_a_guide_if_and_only_if_it_says_so(tgafnet_onnx, tmp_path, takes_guide):
    model = onnx.load(tgafnet_onnx if takes_guide else save_guided_network(tmp_path / "guide.onnx"))
    told = {entry.key: entry.value for entry in model.metadata_props} | {"cvqe.takes_guide": json.dumps(takes_guide)}
    onnx.helper.set_model_props(model, told)
    onnx.save(model, tmp_path / "odd.onnx")
    without = "'qp' or 'hidden'" if takes_guide else "'qp' or 'guide' or 'hidden'"
    words = f"'window'{' and .guide.' if takes_guide else ''} without {without}"
    with pytest.raises(ModelError, match=f"{words}, and 'enhanced', were expected"):
        load_model_file(tmp_path / "odd.onnx")


@pytest.mark.parametrize("takes_qp", [False, True])
def test_a_manifest_that_does_not_fit_the_inputs_is_refused(live_onnx, tgafnet_onnx, tmp_path, takes_qp):
    model = onnx.load(tgafnet_onnx if takes_qp else live_onnx)
    told = {entry.key: entry.value for entry in model.metadata_props} | {"cvqe.takes_qp": json.dumps(takes_qp)}
    onnx.helper.set_model_props(model, told)
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(ModelError, match="were expected"):
        load_model_file(tmp_path / "odd.onnx")


@pytest.fixture
def no_gpu(monkeypatch):
    """Make this a machine without a GPU, whatever it is."""
    monkeypatch.setattr(engine_module, "gpu_obstacle", lambda: NO_DRIVER)


def without(monkeypatch, *prefixes: str) -> None:
    """Hide installed packages from the list of backends."""
    real = importlib.metadata.version

    def version(package: str) -> str:
        if package.startswith(prefixes):
            raise importlib.metadata.PackageNotFoundError(package)
        return real(package)

    monkeypatch.setattr(backend_list, "version", version)


def test_auto_takes_openvino_first_and_says_why(live_onnx, no_gpu, caplog):
    choice = open_engine(EngineRequest(load_model_file(live_onnx), 16, 16))
    assert choice.engine.backend == "openvino"
    assert choice.reason == f"first of openvino, onnxruntime that runs here; {NO_DRIVER}"
    assert caplog.text == ""  # a machine without a GPU is nothing to warn of


def test_auto_falls_back_to_what_is_installed_and_says_so(live_onnx, no_gpu, monkeypatch):
    without(monkeypatch, "openvino")
    choice = open_engine(EngineRequest(load_model_file(live_onnx), 16, 16))
    assert choice.engine.backend == "onnxruntime"
    assert "openvino is not installed" in choice.reason
    with pytest.raises(BackendError, match=r"pip install openvino.*--backend onnxruntime"):
        open_engine(EngineRequest(load_model_file(live_onnx), 16, 16), "openvino")


GPU_BACKENDS = [name for name, backend in BACKENDS.items() if backend.needs_gpu]


@pytest.mark.parametrize("backend", GPU_BACKENDS)
def test_a_backend_without_a_gpu_says_all_that_is_missing(live_onnx, no_gpu, monkeypatch, backend):
    without(monkeypatch, "tensorrt", "onnxruntime-gpu", "torch")
    with pytest.raises(BackendError) as raised:
        open_engine(EngineRequest(load_model_file(live_onnx), 16, 16), backend)
    missing, remedy = str(raised.value).splitlines()
    assert missing == f"{backend} is not installed and {NO_DRIVER}, so --backend {backend} can't be used."
    assert "pip install " in remedy and remedy.endswith("--backend openvino")


@pytest.mark.skipif(installed_version("tensorrt-rtx") is None, reason="TensorRT-RTX is not installed")
def test_a_backend_that_lacks_the_gpu_alone_says_just_that(live_onnx, no_gpu):
    with pytest.raises(BackendError) as raised:
        open_engine(EngineRequest(load_model_file(live_onnx), 16, 16), "tensorrt-rtx")
    said = f"{NO_DRIVER}, so --backend tensorrt-rtx can't be used.\nRun on what is here:  --backend openvino"
    assert str(raised.value) == said


def test_an_engine_without_a_gpu_is_traced_back_to_its_network(tmp_path, no_gpu):
    save_engine(tmp_path / "m.engine", library="tensorrt")
    model = ModelFile(tmp_path / "m.engine", network_manifest(), b"")
    with pytest.raises(BackendError, match=rf"--model {tmp_path / 'small.onnx'} --backend openvino$"):
        open_engine(EngineRequest(model, 64, 96))


def test_an_idle_gpu_is_never_kept_quiet_about(live_onnx, monkeypatch, caplog):
    monkeypatch.setattr(engine_module, "gpu_obstacle", lambda: None)
    without(monkeypatch, "tensorrt", "onnxruntime-gpu")
    choice = open_engine(EngineRequest(load_model_file(live_onnx), 16, 16))
    assert choice.engine.backend == "openvino"
    for name in ("tensorrt", "tensorrt-rtx", "onnxruntime-cuda"):
        assert f"{name} is passed over: {name} is not installed" in caplog.text
        assert f"{name}: {name} is not installed" in choice.reason
    assert "torch-cuda" not in choice.reason  # only when asked for


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "torch-cuda"])
def test_an_engine_file_runs_by_its_own_library_only(tmp_path, live_onnx, backend):
    model = replace(load_model_file(live_onnx), path=tmp_path / "live.engine", content=b"")
    with pytest.raises(UsageError, match=f"TensorRT engine, which --backend {backend} can't run"):
        open_engine(EngineRequest(model, 16, 16), backend)


def test_an_engine_file_for_other_samples_is_refused(tmp_path, live_onnx):
    model = replace(load_model_file(live_onnx), path=tmp_path / "live.engine", content=b"")
    assert model.for_bit_depth(8) is model
    with pytest.raises(ModelError, match=r"samples of 8 bits, but the video's need 16.*--bitDepth=16"):
        model.for_bit_depth(10)


@pytest.mark.parametrize(
    "backend, precision, error, words",
    [
        ("tensorrrt", "auto", UsageError, "no backend 'tensorrrt'"),
        ("auto", "fp4", UsageError, "no precision 'fp4'"),
        ("auto", "int8", BackendError, "holds no int8 scales; .*Make it:  python calibration/calibrate.py"),
        ("onnxruntime", "bf16", BackendError, "--backend openvino"),
    ],
)
def test_what_can_not_be_is_refused_in_one_sentence(live_onnx, backend, precision, error, words):
    with pytest.raises(error, match=words):
        open_engine(EngineRequest(load_model_file(live_onnx), 16, 16, precision=precision), backend)


def test_models_are_found_by_path_and_by_name_and_qp(live_onnx, tmp_path):
    assert find_model(str(live_onnx)).manifest.network == "live"
    (tmp_path / "live_qp37.onnx").write_bytes(live_onnx.read_bytes())
    assert find_model("live", 22, folder=tmp_path).path.name == "live_qp37.onnx"
    with pytest.raises(UsageError, match="no network 'memnet' is shipped"):
        find_model("memnet", folder=tmp_path)


@pytest.mark.parametrize(
    "name, content, error, words",
    [
        ("gone.onnx", None, UsageError, "is no file"),
        ("plan.engine", b"x", UsageError, "TensorRT engine"),
        ("text.onnx", b"this is no protobuf", ModelError, "does not open as ONNX|no cvqe metadata"),
    ],
)
def test_files_that_are_no_models_are_refused(tmp_path, name, content, error, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=words):
        find_model(str(tmp_path / name))
