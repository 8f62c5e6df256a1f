"""Checkpoints in, verified ONNX files out; anything else leaves nothing behind."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from onnx import TensorProto, numpy_helper

from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import InputError, ModelError
from cvqe.layers.deform_conv import DeformConv2d
from cvqe.layers.warp import warp
from cvqe.manifest import manifest_from_properties
from cvqe.models import create
from export import verify as verify_module
from export.exporter import ExportConfig, export
from export.graph import float_graph
from export.to_onnx import main
from export.verify import FP16_ATOL, FP32_ATOL
from tests.networks import made_up_network, save_checkpoint

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "export" / "to_onnx.py"
MGANET = {"channels": 16}
# bfloat16 has 8 bits: 4e-3 at 1.0 for each rounding of a picture, and a few layers of it
BF16_ATOL = 1.5e-2
N_PARAMETERS = sum(parameter.numel() for parameter in create("live").parameters())


def properties(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


@pytest.fixture(scope="module")
def live_pt(tmp_path_factory) -> Path:
    """Weights that float16 holds exactly, but for those of the last layer."""
    network = made_up_network("live")
    tail = network.tail.weight.detach().clone()
    network.half().float().tail.weight.data.copy_(tail)
    return save_checkpoint(network, "live", tmp_path_factory.mktemp("checkpoint") / "live.pt")


@pytest.fixture(scope="module")
def live_onnx(live_pt) -> Path:
    return export(ExportConfig(live_pt, output=live_pt.with_suffix(".onnx"))).path


@pytest.fixture(scope="module")
def mganet_pt(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "mganet.pt"
    weights = made_up_network("mganet", **MGANET).state_dict()
    told = {"network": "mganet", "options": MGANET, "qp": [37], "neighbors": "low-delay"}
    torch.save({**told, "state_dict": weights}, path)
    return path


@pytest.mark.parametrize("precision, atol", [("fp32", FP32_ATOL), ("fp16", FP16_ATOL)])
@pytest.mark.parametrize("bit_depth", [8, 16])
def test_live_agrees_with_torch_before_rounding(live_pt, tmp_path, precision, atol, bit_depth):
    exported = export(ExportConfig(live_pt, "live", tmp_path / "out.onnx", precision, bit_depth))
    assert exported.verification.largest_error <= atol
    assert exported.verification.levels_apart <= 1
    assert exported.verification.loss_db <= 0.01
    manifest = manifest_from_properties(properties(exported.path), "out.onnx")
    assert (manifest.network, manifest.radius, manifest.precision) == ("live", 3, precision)
    assert (manifest.bit_depth, manifest.qp, manifest.takes_qp) == (bit_depth, (32, 37), True)
    assert manifest.n_parameters == N_PARAMETERS
    graph = onnx.load(exported.path).graph
    assert [value.name for value in graph.input] == ["window", *["peak"] * (bit_depth == 16), "qp"]
    qp = graph.input[-1].type.tensor_type
    assert (qp.elem_type, [dim.dim_value for dim in qp.shape.dim]) == (TensorProto.FLOAT, [1])


@pytest.mark.parametrize("precision, atol", [("fp32", FP32_ATOL), ("fp16", FP16_ATOL)])
@pytest.mark.parametrize("bit_depth", [8, 16])
def test_mganet_agrees_with_torch_before_rounding_at_odd_sizes_too(mganet_pt, tmp_path, precision, atol, bit_depth):
    exported = export(ExportConfig(mganet_pt, None, tmp_path / "out.onnx", precision, bit_depth))
    assert any(height % 2 and width % 2 for height, width in verify_module.SIZES)
    assert 0 < exported.verification.largest_error <= atol
    assert exported.verification.levels_apart <= 1
    manifest = manifest_from_properties(properties(exported.path), "out.onnx")
    assert (manifest.radius, manifest.takes_guide, manifest.takes_qp) == (1, True, False)
    assert (manifest.neighbors, manifest.options) == ("low-delay", MGANET)
    graph = onnx.load(exported.path).graph
    assert [value.name for value in graph.input] == ["window", *["peak"] * (bit_depth == 16), "guide"]
    guide = graph.input[-1].type.tensor_type
    assert guide.elem_type == TensorProto.FLOAT
    assert [dim.dim_param or dim.dim_value for dim in guide.shape.dim] == [1, 1, "height", "width"]


@pytest.mark.parametrize("precision, atol", [("f32", FP32_ATOL), ("bf16", BF16_ATOL)])
def test_an_exported_mganet_runs_in_openvino_at_an_odd_size(mganet_pt, tmp_path, precision, atol):
    path = export(ExportConfig(mganet_pt, output=tmp_path / "out.onnx")).path
    network = network_from_checkpoint(load_checkpoint(path))
    window, guide = torch.randint(0, 256, (1, 3, 35, 51)), 255 * torch.rand(1, 1, 35, 51)
    model = openvino.Core().read_model(path)
    model.reshape({"window": window.shape, "guide": guide.shape})
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    enhanced = compiled({"window": window.numpy().astype(np.uint8), "guide": guide.numpy()})["enhanced"]
    with torch.no_grad():
        expected = network(window / 255, guide / 255).clamp(0, 1)
    np.testing.assert_allclose(enhanced / 255.0, expected.numpy(), atol=atol + 0.5 / 255, rtol=0)


@pytest.mark.parametrize("precision, options", [("fp32", {"blocks": 1}), ("fp16", {})])
def test_tgafnet_agrees_with_torch_and_is_standard_onnx(tmp_path, precision, options):
    network = made_up_network("tgafnet", **options)
    checkpoint = save_checkpoint(network, "tgafnet", tmp_path / "tgafnet.pt", **options)
    exported = export(ExportConfig(checkpoint, None, tmp_path / "out.onnx", precision))
    graph = onnx.load(exported.path).graph
    deform_convs = [node for node in graph.node if node.op_type == "DeformConv"]
    assert [len(node.input) for node in deform_convs] == [5] * 4  # x, weight, offset, bias and mask, none left out
    assert {node.domain for node in graph.node} == {""}
    assert [value.name for value in graph.input] == ["window"]
    window, enhanced = graph.input[0].type.tensor_type, graph.output[0].type.tensor_type
    assert window.elem_type == enhanced.elem_type == TensorProto.UINT8
    assert [dim.dim_param or dim.dim_value for dim in window.shape.dim] == [1, 7, "height", "width"]


class Aligned(torch.nn.Module):
    """A network that warps two neighbours, and convolves at offsets without a mask."""

    radius = 1

    def __init__(self):
        super().__init__()
        self.displacement = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.deform_conv = DeformConv2d(2, 1, 1)

    def forward(self, window):
        displacement = 4 * self.displacement(window)
        return self.deform_conv(warp(window[:, ::2], displacement), displacement, None)


def test_without_a_mask_deform_conv_is_written_without_one_and_a_warp_is_an_identity():
    torch.manual_seed(0)
    network, window = Aligned(), torch.rand(1, 3, 19, 34)
    model = float_graph(network)
    onnx.checker.check_model(model, full_check=True)
    deform_convs = [node for node in model.graph.node if node.op_type == "DeformConv"]
    assert [len(node.input) for node in deform_convs] == [4, 4]  # x, weight, offset and bias
    constants = {node.output[0]: node.attribute[0].t for node in model.graph.node if node.op_type == "Constant"}
    weight, bias = (numpy_helper.to_array(constants[deform_convs[0].input[i]]) for i in (1, 3))
    np.testing.assert_array_equal(weight[:, :, 0, 0], np.eye(2))
    np.testing.assert_array_equal(bias, np.zeros(2))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    enhanced = torch.from_numpy(session.run(None, {"window_float": window.numpy()})[0])
    torch.testing.assert_close(enhanced, network(window), atol=FP32_ATOL, rtol=0)


def test_an_official_state_dict_is_recognised_by_its_names(tmp_path):
    network = made_up_network("tgafnet", blocks=2)
    torch.save({f"module.{name}": value for name, value in network.state_dict().items()}, tmp_path / "official.pth")
    checkpoint = load_checkpoint(tmp_path / "official.pth", "tgafnet")
    assert (checkpoint.network, dict(checkpoint.options)) == ("tgafnet", {"blocks": 2})


def test_an_exported_file_is_a_checkpoint_again(live_pt, live_onnx, tmp_path):
    again = export(ExportConfig(live_onnx, output=tmp_path / "again.onnx")).path
    names = set(load_checkpoint(live_pt).state_dict)
    weights = [
        {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
        for path in (live_onnx, again)
    ]
    assert names <= set(weights[0])
    for name in names:
        np.testing.assert_array_equal(weights[0][name], weights[1][name])


def test_weights_that_float16_holds_exactly_are_stored_so_and_nothing_is_lost(live_pt, live_onnx):
    kinds = {tensor.name: tensor.data_type for tensor in onnx.load(live_onnx).graph.initializer}
    assert (kinds["body.0.first.weight"], kinds["tail.weight"]) == (TensorProto.FLOAT16, TensorProto.FLOAT)
    assert live_onnx.stat().st_size < 2.2 * N_PARAMETERS
    weights = load_checkpoint(live_pt).state_dict
    for name, value in load_checkpoint(live_onnx).state_dict.items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)


class Code:
    def __reduce__(self):
        return (print, ("this pickle ran code",))


@pytest.mark.parametrize(
    "content, error, words",
    [
        (lambda path: path.write_bytes(pickle.dumps(Code())), InputError, "code"),
        (lambda path: path.write_bytes(b"no checkpoint"), InputError, "no checkpoint of plain tensors"),
        (lambda path: torch.save([1, 2], path), ModelError, "holds a list"),
        (lambda path: torch.save({"conv.weight": torch.zeros(1)}, path), ModelError, "no known one's"),
        (lambda path: torch.save({"network": "live", "state_dict": {}}, path), ModelError, "do not fit live"),
    ],
)
def test_foreign_checkpoints_are_refused_and_nothing_is_written(tmp_path, capfd, content, error, words):
    content(tmp_path / "foreign.pt")
    with pytest.raises(error, match=words):
        export(ExportConfig(tmp_path / "foreign.pt", output=tmp_path / "out.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["foreign.pt"]
    assert "ran code" not in capfd.readouterr().out


def test_a_file_that_disagrees_with_torch_is_not_written(live_pt, tmp_path, monkeypatch):
    monkeypatch.setattr(verify_module, "FP32_ATOL", -1.0)  # no file can be that good
    with pytest.raises(ModelError, match="Nothing was written"):
        export(ExportConfig(live_pt, output=tmp_path / "out.onnx"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(2, 2), (7, 3), (19, 34), (64, 64)])
def test_one_file_serves_every_size(live_onnx, size):
    session = onnxruntime.InferenceSession(live_onnx)
    feeds = {"window": np.full((1, 7, *size), 128, np.uint8), "qp": np.array([33.3], np.float32)}
    enhanced, mean = session.run(None, feeds)
    assert enhanced.shape == (1, 1, *size)
    assert np.isfinite(mean)


def test_a_network_that_takes_a_qp_is_refused_without_those_it_was_trained_on(tmp_path):
    torch.save({"network": "live", "state_dict": made_up_network("live").state_dict()}, tmp_path / "live.pt")
    with pytest.raises(ModelError, match="--qp 22 42"):
        export(ExportConfig(tmp_path / "live.pt", output=tmp_path / "out.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["live.pt"]


def test_the_script_says_what_it_wrote_and_how_good_it_is(live_pt, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--checkpoint", str(live_pt), "--model", "live", "--output", "out.onnx"]) == 0
    said = capsys.readouterr()
    assert f"out.onnx: live, {N_PARAMETERS:,} parameters, fp32" in said.out
    assert said.err == ""
    assert json.loads(properties(tmp_path / "out.onnx")["cvqe.network"]) == "live"


def test_another_networks_checkpoint_is_a_clear_error(live_pt, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--checkpoint", str(live_pt), "--model", "tgafnet", "--output", "out.onnx"]) == 1
    assert "holds live, not tgafnet" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_run_by_path_and_without_arguments_the_shipped_network_is_exported(tmp_path):
    done = subprocess.run([sys.executable, str(SCRIPT)], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert f"live_fp32.onnx: live, {N_PARAMETERS:,} parameters, fp32" in done.stdout
    assert done.stderr == ""
    shipped, exported = (onnx.load(path) for path in (ROOT / "weights" / "live.onnx", tmp_path / "live_fp32.onnx"))
    weights = [{tensor.name: tensor.raw_data for tensor in model.graph.initializer} for model in (shipped, exported)]
    assert weights[0] == weights[1]
