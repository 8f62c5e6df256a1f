"""The networks that ours is compared with, exported: verified, and the same picture by both CPU backends."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from cvqe.manifest import manifest_from_properties
from export.exporter import ExportConfig, Exported, export
from export.verify import FP16_ATOL, FP32_ATOL, made_up_window
from runtime import stream
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import load_model_file
from tests.cvqe.models.comparison import COMPARISONS, Comparison
from tests.networks import made_up_network, save_checkpoint

LEVELS_APART = 1  # float32 sums in another order: a luma near a half level may round to either side
TINY = 2, 2
SIZES = [TINY, (17, 31), (40, 64)]
DEMO = Path(__file__).resolve().parents[2] / "docs" / "demo" / "demo_qp37.mp4"
N_STREAMED = 5
N_FRAMES = 3  # in a row: a recurrent network goes on from what the first ones left behind
QUICK = ("stdf_r1", "vrcnn")
labelled = pytest.mark.parametrize(
    "comparison",
    [pytest.param(each, marks=[] if each.name in QUICK else pytest.mark.slow) for each in COMPARISONS],
    ids=[f"{each.name} {each.n_parameters}" for each in COMPARISONS],
)


def exported(comparison: Comparison, path: Path, precision: str) -> Exported:
    options = {**comparison.options, **comparison.small}
    network = made_up_network(comparison.name, **options)
    checkpoint = save_checkpoint(network, comparison.name, path.with_suffix(".pt"), **options)
    return export(ExportConfig(checkpoint, None, path, precision))


@labelled
def test_both_backends_give_what_torch_gives_at_any_size(comparison, tmp_path):
    path = exported(comparison, tmp_path / "out.onnx", "fp32").path
    model = load_model_file(path)
    for size in SIZES:
        engines = [
            open_engine(EngineRequest(model, *size, precision="fp32", threads=1), backend).engine
            for backend in ("openvino", "onnxruntime")
        ]
        for number in range(N_FRAMES):
            _, levels = made_up_window(model.manifest.window_frames, size, 255, first=number)
            window = levels.astype(np.uint8)
            one, other = (engine.enhance(window) for engine in engines)
            assert one.is_finite and other.is_finite
            assert np.abs(one.luma.astype(int) - other.luma).max() <= LEVELS_APART
            change = np.abs(one.luma.astype(int) - window[model.manifest.radius]).max()
            assert change > 1 or size == TINY  # the network did something


@labelled
@pytest.mark.parametrize(
    "precision, atol", [("fp32", FP32_ATOL), pytest.param("fp16", FP16_ATOL, marks=pytest.mark.slow)]
)
def test_it_agrees_with_torch_and_says_what_it_needs(comparison, tmp_path, precision, atol):
    result = exported(comparison, tmp_path / "out.onnx", precision)
    assert result.verification.largest_error <= atol
    model = onnx.load(result.path)
    manifest = manifest_from_properties({entry.key: entry.value for entry in model.metadata_props}, "out.onnx")
    assert {node.domain for node in model.graph.node} == {""}
    assert (manifest.network, manifest.is_recurrent) == (comparison.name, comparison.name == "rfda")
    assert [value.name for value in model.graph.input] == ["window", *["hidden"] * manifest.is_recurrent]
    outputs = ["enhanced", "enhanced_mean", *["hidden_next"] * manifest.is_recurrent]
    assert [value.name for value in model.graph.output] == outputs


@labelled
def test_it_streams_a_real_clip(comparison, tmp_path, capsys):
    result = exported(comparison, tmp_path / "net.onnx", "fp32")
    words = [DEMO, "-o", tmp_path / "out.mp4", "--model", result.path, "--frames", N_STREAMED, "--json"]
    assert stream.main([str(word) for word in words]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["frames_in"], summary["frames_out"]) == (N_STREAMED, N_STREAMED)
    assert summary["frames_fallen_back"] == 0
