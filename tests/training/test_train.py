"""The script as a user runs it: to the end, killed and resumed, in two processes, on packed windows, on bad data."""

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from cvqe.models import create
from training.run import take_weights
from training.train import main

ROOT = Path(__file__).resolve().parents[2]


def command(recipe_file, clips, coded, output, *more):
    script = [sys.executable, "training/train.py", "--config", str(recipe_file), str(clips), "--coded", str(coded)]
    return [*script, "--output", str(output), "--threads", "1", *more]


def run(words, **environment):
    return subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False, env={**os.environ, **environment}
    )


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def typed(words, capsys):
    """Run the script's words in this process: a second less than starting torch."""
    code = main(words[2:])
    return code, capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(recipe_file, clips, coded, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained") / "whole.pt"
    done = run(command(recipe_file, clips, coded, output))
    assert done.returncode == 0, done.stderr
    return output, done


def test_a_run_leaves_its_checkpoint_and_its_log(trained):
    checkpoint, done = trained
    content = torch.load(checkpoint, weights_only=True)
    assert (content["network"], content["step"], content["qp"]) == ("live", 6, [37])
    create("live", **content["options"]).load_state_dict(content["state_dict"])
    rows = list(csv.DictReader(checkpoint.with_suffix(".csv").open()))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert "waiting for data" in done.stderr


def test_killed_and_resumed_is_uninterrupted(trained, recipe_file, clips, coded, tmp_path):
    output = tmp_path / "killed.pt"
    state = output.with_suffix(".state.pt")
    process = subprocess.Popen(command(recipe_file, clips, coded, output), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not state.exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stopped_at = torch.load(state, weights_only=True)["step"]
    resumed = run(command(recipe_file, clips, coded, output, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    assert stopped_at in (2, 4, 6)
    assert same(weights(trained[0]), weights(output))
    steps = [row["step"] for row in csv.DictReader(output.with_suffix(".csv").open())]
    assert steps == ["2", "4", "6"]


def test_an_earlier_run_is_not_overwritten(trained, recipe_file, clips, coded, capsys):
    code, said = typed(command(recipe_file, clips, coded, trained[0]), capsys)
    assert code == 2
    assert "--resume" in said


def test_two_processes_learn_one_network(recipe_file, clips, coded, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = command(recipe_file, clips, coded, tmp_path / "two.pt", "--device", "cpu")
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, **group, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=180) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "step 6/6" in said[0][1]
    assert "step" not in said[1][1]  # the second process is silent
    assert torch.load(tmp_path / "two.pt", weights_only=True)["step"] == 6


def test_packed_windows_train_without_pyav(recipe_file, clips, coded, tmp_path):
    words = [sys.executable, "training/pack.py", str(clips), "--config", str(recipe_file), "--coded", str(coded)]
    packed = run([*words, "--packs", "2", "--windows", "5", "--output", str(tmp_path / "w_{}.npz")])
    assert packed.returncode == 0, packed.stderr
    packs = [str(tmp_path / f"w_{number:03d}.npz") for number in range(2)]
    assert packed.stdout.split() == packs
    (tmp_path / "av.py").write_text("raise ImportError('no PyAV here')")
    words = [sys.executable, "training/train.py", "--config", str(recipe_file), "--windows", *packs]
    done = run([*words, "--output", str(tmp_path / "n.pt")], PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "n.pt").exists()


def test_weights_are_taken_from_an_earlier_checkpoint(trained, recipe_file, clips, coded, tmp_path):
    done = run(
        command(recipe_file, clips, coded, tmp_path / "n.pt", "--init", str(trained[0]), "--set", "schedule.rate=0")
    )
    assert done.returncode == 0, done.stderr
    first, second = weights(trained[0]), weights(tmp_path / "n.pt")
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)


def test_a_recipe_can_name_a_teacher(trained, recipe_file, clips, coded, tmp_path, capsys):
    loss = ["--set", f'loss.teacher="{trained[0]}"', "--set", "loss.distillation=5"]
    done = run(command(recipe_file, clips, coded, tmp_path / "n.pt", *loss))
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "n.csv").open()))
    assert all(float(row["distillation"]) > 0 for row in rows)
    code, said = typed(command(recipe_file, clips, coded, tmp_path / "m.pt", *loss[:2]), capsys)
    assert code == 2
    assert "both of loss.teacher and loss.distillation" in said


def test_a_deeper_preset_takes_what_fits(trained):
    deeper = create("live", channels=16, blocks=2, motion=8)
    take_weights(deeper, trained[0], "live")
    kept = weights(trained[0])
    assert torch.equal(deeper.motion.fine.weight, kept["motion.fine.weight"])


@pytest.mark.parametrize(
    "more, code, reason",
    [
        (["--set", "data.qp=[32]"], 3, "ldp_qp32/a.mkv is missing"),
        (["--set", "data.patch_px=50"], 3, "a is 64x48, smaller than a patch of 50 px"),
        (["--set", "schedule.step=1"], 2, "nothing is called 'step'"),
        (["--resume"], 3, "holds no state to go on from"),
        (["--windows", "w.npz"], 2, "either clips with --coded, or --windows"),
        (["--set", 'data.neighbors="low-delay"'], 1, "neighbors 'low-delay' with radius 3"),
        (["--set", "data.fixed_grid_share=2.0"], 2, "data.fixed_grid_share is 2.0"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(recipe_file, clips, coded, tmp_path, capsys, more, code, reason):
    found, said = typed(command(recipe_file, clips, coded, tmp_path / "n.pt", *more), capsys)
    assert found == code
    assert reason in said


def test_a_bad_clip_is_named(recipe_file, clips, coded, tmp_path):
    shutil.copytree(coded, tmp_path / "coded")
    (tmp_path / "coded" / "ldp_qp37" / "b.mkv").write_bytes(b"no video")
    done = run(command(recipe_file, clips, tmp_path / "coded", tmp_path / "n.pt"))
    assert done.returncode == 3
    assert "ldp_qp37/b.mkv" in done.stderr
    assert "Traceback" not in done.stderr
