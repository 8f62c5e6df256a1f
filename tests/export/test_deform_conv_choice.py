"""Which node a file holds is the user's choice, and every choice is verified before it is written."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import BackendError, ModelError
from cvqe.manifest import DEFORM_CONVS, manifest_from_properties
from export import exporter
from export.exporter import ExportConfig, export
from export.graph import float_graph
from export.to_onnx import main, parse_args
from export.verify import made_up_window
from plugins.deform_conv.onnx_nodes import with_custom_nodes
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import ModelFile, load_model_file
from tests.networks import made_up_network, save_checkpoint

ROOT = Path(__file__).resolve().parents[2]
LEVELS_APART = 1  # float32 sums in another order: a luma near a half level may round to either side


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    small = {"channels": 8, "blocks": 1}
    folder = tmp_path_factory.mktemp("checkpoint")
    return save_checkpoint(made_up_network("tgafnet", **small), "tgafnet", folder / "tgafnet.pt", **small)


@pytest.fixture(scope="module")
def files(checkpoint) -> dict[str, ModelFile]:
    """One file of each kind; the graph is traced once, which takes most of the time."""
    graph = float_graph(network_from_checkpoint(load_checkpoint(checkpoint)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter, "float_graph", lambda network: graph)
        paths = [checkpoint.with_name(f"{name}.onnx") for name in DEFORM_CONVS]
        for name, path in zip(DEFORM_CONVS, paths, strict=True):
            export(ExportConfig(checkpoint, output=path, deform_conv=name))
    return {name: load_model_file(path) for name, path in zip(DEFORM_CONVS, paths, strict=True)}


def op_types(file: ModelFile) -> set[tuple[str, str]]:
    return {(node.domain, node.op_type) for node in onnx.load_from_string(file.content).graph.node}


def enhance(file: ModelFile, backend: str, bit_depth: int = 8) -> np.ndarray:
    _, levels = made_up_window(7, (24, 37), 255)
    window = levels.astype(np.uint8)
    if bit_depth > 8:
        window = (4 * levels).astype("<u2")[..., None].view(np.uint8)
    request = EngineRequest(file, 24, 37, bit_depth, "fp32", threads=2)
    return open_engine(request, backend).engine.enhance(window).luma


def test_the_standard_node_is_what_a_file_holds_unless_told_otherwise(files):
    assert parse_args([]).deform_conv == ExportConfig().deform_conv == "standard"
    assert ("", "DeformConv") in op_types(files["standard"])
    assert {domain for domain, _ in op_types(files["standard"])} == {""}


def test_each_file_says_what_it_holds(files):
    assert {name: file.manifest.deform_conv for name, file in files.items()} == {name: name for name in DEFORM_CONVS}


def test_a_custom_file_is_the_standard_one_under_another_name(files):
    standard, custom = (onnx.load_from_string(files[name].content) for name in ("standard", "custom"))
    assert list(with_custom_nodes(standard).graph.node) == list(custom.graph.node)
    assert ("cvqe", "CvqeDeformConv") in op_types(files["custom"])
    assert ("", "DeformConv") not in op_types(files["custom"])
    onnx.checker.check_model(custom, full_check=True)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_a_gather_file_needs_no_deform_conv_and_gives_the_same_picture(files, backend, bit_depth):
    assert {"DeformConv", "CvqeDeformConv"}.isdisjoint(name for _, name in op_types(files["gather"]))
    standard, gather = (enhance(files[name], backend, bit_depth).astype(int) for name in ("standard", "gather"))
    if bit_depth > 8:
        standard, gather = (pairs[..., 0] + 256 * pairs[..., 1] for pairs in (standard, gather))
    assert np.abs(standard - gather).max() <= LEVELS_APART


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "auto"])
def test_a_custom_file_is_refused_where_it_cant_run_with_the_command_that_mends_it(files, backend):
    with pytest.raises(BackendError, match=r"CvqeDeformConv, which .* can't run.*--deform-conv standard"):
        enhance(files["custom"], backend)


@pytest.mark.slow
def test_the_command_that_mends_a_custom_file_does(files):
    with pytest.raises(BackendError) as refusal:
        files["custom"].refuse_custom_nodes("ONNX Runtime")
    command = str(refusal.value).partition("python ")[2].split()
    assert (ROOT / command[0]).is_file()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    mended = load_model_file(files["custom"].path.with_name("custom_standard.onnx"))
    np.testing.assert_array_equal(enhance(mended, "onnxruntime"), enhance(files["standard"], "onnxruntime"))


@pytest.mark.parametrize("deform_conv", ["custom", "gather"])
def test_a_file_that_disagrees_with_torch_is_not_written(checkpoint, files, tmp_path, monkeypatch, deform_conv):
    def shifted(network):
        model = onnx.load_from_string(float_graph_content)
        bias = next(t for t in model.graph.initializer if t.name == "deform_block_3.deform_conv.bias")
        bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + 1, bias.name))
        return model

    float_graph_content = files["standard"].content
    monkeypatch.setattr(exporter, "float_graph", shifted)
    with pytest.raises(ModelError, match="Nothing was written"):
        export(ExportConfig(checkpoint, output=tmp_path / "out.onnx", deform_conv=deform_conv))
    assert list(tmp_path.iterdir()) == []


def test_the_script_passes_the_choice_on_and_names_it(checkpoint, files, tmp_path, monkeypatch, capsys):
    standard = onnx.load_from_string(files["standard"].content)
    monkeypatch.setattr(exporter, "float_graph", lambda network: standard)
    out = tmp_path / "out.onnx"
    assert main(["--checkpoint", str(checkpoint), "--output", str(out), "--deform-conv", "custom"]) == 0
    assert "custom DeformConv" in capsys.readouterr().out
    properties = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert manifest_from_properties(properties, "out.onnx").deform_conv == "custom"


def test_a_choice_that_does_not_exist_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--deform-conv", "fastest"])
    assert ended.value.code == 2
    assert "invalid choice: 'fastest'" in capsys.readouterr().err
