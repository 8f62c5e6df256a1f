"""Data, loop and scripts of the training side, on clips made here."""

import csv
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cvqe.errors import InputError
from cvqe.models import create
from tests.media import make_video
from training.coder import CONFIGURATIONS, encode_hevc, frame_rate
from training.loop import Schedule, Trainer, charbonnier, rate_at
from training.luma_clips import load_luma
from training.patches import ClipPair, PatchSampler, load_pairs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name in "ab":
        make_video(folder / f"{name}.mkv", frames=6, size=(64, 48), codec="ffv1")
    return folder


@pytest.fixture(scope="module")
def coded(clips, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("coded")
    command = [sys.executable, "training/compress.py", str(clips), "--qp", "37", "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return output


def test_compress_writes_clips_and_an_index_of_their_quality(coded):
    rows = list(csv.DictReader((coded / "index.csv").open()))
    assert [(row["clip"], row["qp"], row["frames"]) for row in rows] == [("a", "37", "6"), ("b", "37", "6")]
    assert all(20 < float(row["psnr_db"]) < 60 for row in rows)


def frame_types(content: bytes) -> list[bool]:
    import io

    import av

    with av.open(io.BytesIO(content)) as container:
        return [packet.is_keyframe for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("configuration, keyframes", [("ldp", 1), ("ai", 6)])
def test_a_configurations_structure_does_not_depend_on_the_sources(clips, configuration, keyframes):
    import av

    source = clips / "a.mkv"  # FFV1: every frame of it is a key frame
    with av.open(str(source)) as container:
        content = encode_hevc(container.decode(video=0), frame_rate(source), configuration, 37)
    assert sum(frame_types(content)) == keyframes
    assert set(CONFIGURATIONS) == {"ldp", "ai", "ra"}


def test_the_same_seed_draws_the_same_windows_and_the_target_is_the_middle_frame(clips, coded):
    pairs = load_pairs(clips, coded, "ldp", [37])
    same = [ClipPair(pair.name, pair.qp, pair.decoded, pair.decoded) for pair in pairs]
    first, again = (PatchSampler(same, 3, 32, {}, seed=7).batch(8) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[0][:, 3:4], first[1])


def test_missing_and_misfit_clips_are_refused_by_name(clips, coded, tmp_path):
    with pytest.raises(InputError, match=r"ldp_qp22.*compress.py"):
        load_pairs(clips, coded, "ldp", [22])
    (tmp_path / "ldp_qp37").mkdir()
    make_video(tmp_path / "ldp_qp37" / "a.mkv", frames=5, size=(64, 48), codec="ffv1")
    with pytest.raises(InputError, match=r"a\.mkv is \(5, 48, 64\)"):
        load_pairs(clips, tmp_path, "ldp", [37])
    with pytest.raises(InputError, match=r"no \.mkv clip"):
        load_pairs(tmp_path, coded, "ldp", [37])


def test_deep_clips_are_refused(tmp_path):
    make_video(tmp_path / "deep.mkv", frames=1, size=(16, 16), codec="ffv1", pix_fmt="yuv420p10le")
    with pytest.raises(InputError, match="8-bit"):
        load_luma(tmp_path / "deep.mkv")


def test_the_rate_rises_then_falls_to_zero():
    schedule = Schedule(steps=100, warm_up=10)
    rates = [rate_at(step, schedule) for step in range(101)]
    assert rates[9] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))
    assert rates[100] == pytest.approx(0, abs=1e-6)


def test_charbonnier_is_the_equation():
    a, b = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.5])
    assert charbonnier(a, b).item() == pytest.approx((1e-3 + (0.25 + 1e-6) ** 0.5) / 2)


@pytest.mark.parametrize("network", ["live", "tgafnet"])
def test_training_lowers_the_loss_and_keeps_a_checkpoint(clips, coded, tmp_path, network):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    pairs = load_pairs(clips, coded, "ldp", [37])
    sampler = PatchSampler(pairs, 3, 16, {}, seed=0)
    options = {"blocks": 1} if network == "tgafnet" else {}
    trainer = Trainer(create(network, **options), sampler, Schedule(40, 4, 1e-3, 5, 0.9), {"network": network})
    trainer.run(tmp_path / "net.pt", every=20)
    losses = [float(row["loss"]) for row in csv.DictReader((tmp_path / "net.csv").open())]
    assert losses[1] < losses[0]
    kept = torch.load(tmp_path / "net.pt", weights_only=True)
    assert (kept["network"], kept["step"]) == (network, 40)
    create(network, **options).load_state_dict(kept["state_dict"])


def test_train_runs_from_the_command_line(clips, coded, tmp_path):
    command = [
        sys.executable,
        "training/train.py",
        str(clips),
        "--coded",
        str(coded),
        "--output",
        str(tmp_path / "n.pt"),
    ]
    settings = ["--qp", "37", "--steps", "2", "--batch", "2", "--patch", "32", "--threads", "1"]
    done = subprocess.run([*command, *settings], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "n.pt").exists()
