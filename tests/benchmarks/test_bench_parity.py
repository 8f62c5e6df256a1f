"""Half precision costs no gain; what can't run says why, and a measured row is not lost to one that was not run."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import bench_parity
from benchmarks.bench_parity import CHECKPOINTS, BenchConfig, frames_for, main, merged, read_rows, rows_of
from benchmarks.parity import PROVIDERS, Frames, backend_lumas, compared, demo_frames, export_for, torch_lumas
from cvqe.errors import BackendError
from runtime.backend_list import BACKENDS
from runtime.model_file import load_model_file
from tests.networks import made_up_network, save_checkpoint

FP16_LOSS_DB = 0.01  # what half precision may cost of the gain
SIXTEEN_BIT_ATOL = 1 / 65535  # half a step of the output, and float32 sums in another order
BY_NAME = {provider.name: provider for provider in PROVIDERS}


@pytest.mark.parametrize("network, n_frames", [("live", 2), pytest.param("tgafnet", 1, marks=pytest.mark.slow)])
def test_the_fp16_file_keeps_the_gain(tmp_path, network, n_frames):
    provider, frames = BY_NAME["ONNX Runtime, fp16 file"], demo_frames(n_frames, 3)
    expected = torch_lumas(CHECKPOINTS[network], frames)
    file = export_for(provider, CHECKPOINTS[network], tmp_path)
    assert file.manifest.precision == "fp16"
    parity = compared(backend_lumas(provider, file, frames, threads=2), expected, frames)
    assert parity.gain_db > 0.1  # there is a gain to lose
    assert abs(parity.loss_db) < FP16_LOSS_DB


def test_frames_reach_a_backend_as_torch_sees_them():
    frames = demo_frames(1, 3)
    lumas = backend_lumas(BY_NAME["ONNX Runtime fp32"], load_model_file(CHECKPOINTS["live"]), frames, threads=2)
    np.testing.assert_allclose(lumas, torch_lumas(CHECKPOINTS["live"], frames), atol=SIXTEEN_BIT_ATOL, rtol=0)


def test_guides_reach_a_backend_as_torch_sees_them(tmp_path):
    options = {"channels": 4, "shrink": 2, "levels": 1, "residual": True}
    checkpoint = save_checkpoint(made_up_network("mganet", **options), "mganet", tmp_path / "slim.pt", **options)
    frames = frames_for(checkpoint, 1)
    assert frames.windows.shape[1] == 3 and frames.guides.shape == frames.pristine.shape
    provider = BY_NAME["ONNX Runtime fp32"]
    lumas = backend_lumas(provider, export_for(provider, checkpoint, tmp_path), frames, threads=1)
    np.testing.assert_allclose(lumas, torch_lumas(checkpoint, frames), atol=SIXTEEN_BIT_ATOL, rtol=0)
    blind = torch_lumas(checkpoint, replace(frames, guides=np.zeros_like(frames.guides)))
    assert np.abs(lumas - blind).max() > 0.01


def test_difference_psnr_and_loss_are_those_of_the_field():
    windows, pristine = np.full((1, 3, 4, 4), 102, np.uint8), np.full((1, 4, 4), 51, np.uint8)  # 0.4 and 0.2
    expected = np.full((1, 4, 4), 0.3, np.float32)
    parity = compared(expected + np.float32(0.01), expected, Frames(windows, pristine))
    assert parity.largest_difference == pytest.approx(0.01, rel=1e-4)
    assert parity.psnr_db == pytest.approx(40, abs=0.01)
    assert parity.loss_db == pytest.approx(20 * np.log10(0.11 / 0.1), abs=0.001)
    assert parity.gain_db == pytest.approx(20 * np.log10(0.2 / 0.11), abs=0.001)


def test_every_provider_names_a_backend_of_the_runtime():
    assert {provider.backend for provider in PROVIDERS} == set(BACKENDS)
    assert len(BY_NAME) == len(PROVIDERS)


def test_a_backend_that_cant_run_gets_a_row_that_says_why(tmp_path, monkeypatch):
    def refuse(*_):
        raise BackendError("there is no such GPU.\nBuy one.")

    monkeypatch.setattr(bench_parity, "backend_lumas", refuse)
    monkeypatch.setattr(bench_parity, "PROVIDERS", [BY_NAME["ONNX Runtime fp32"]])
    monkeypatch.setattr(bench_parity, "export_for", lambda *_: None)
    (row,) = rows_of("live", BenchConfig(frames=1), tmp_path)
    assert (row["not_run"], row["psnr_db"], row["loss_db"]) == ("there is no such GPU.", "", "")
    assert row["machine"] and row["date"]


def test_the_script_keeps_what_another_machine_has_measured(tmp_path, monkeypatch):
    measured = {"network": "live", "provider": "TensorRT fp16", "psnr_db": "80.0", "not_run": "", "machine": "a GPU"}
    not_run = {**measured, "psnr_db": "", "not_run": "no GPU", "machine": "a CPU"}
    monkeypatch.setattr(bench_parity, "rows_of", lambda network, *_: [{**not_run, "network": network}])
    out = tmp_path / "parity.csv"
    bench_parity.report.write_rows(out, [measured])
    assert main(["--networks", "live", "tgafnet", "--output", str(out)]) == 0
    assert read_rows(out) == [measured, {**not_run, "network": "tgafnet"}]


def test_newer_measurements_take_the_place_of_older_ones():
    old = {"network": "live", "provider": "x", "psnr_db": "1", "not_run": ""}
    new, other = {**old, "psnr_db": "2"}, {**old, "provider": "y"}
    assert merged([old, other], [new]) == [new, other]
    assert merged([{**old, "not_run": "no GPU"}], [new]) == [new]
