import json
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from runtime.diagnosis import diagnose
from runtime.doctor import main
from runtime.machine import features_from_cpuinfo, nvidia_gpus, quota_from_cpu_max
from runtime.packages import PACKAGES, Package, examine, installed_distributions, onnxruntime_clash

ROOT = Path(__file__).resolve().parents[2]
X86 = "processor\t: 0\nmodel name\t: A Processor\nflags\t\t: fpu avx2 avx512f amx_bf16\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd bf16\n"


def doctor(*arguments, python=(), **environment):
    command = [sys.executable, *python, str(ROOT / "runtime" / "doctor.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment or None)


def without_site_packages(folder, *packages):
    """Make a place to import from that holds these packages of this environment and no other."""
    for name in packages:
        package = Path(find_spec(name).origin).parent
        for entry in package.parent.glob(f"{name}*"):  # its .libs and its .dist-info too
            (folder / entry.name).symlink_to(entry)
    return {"python": ["-S"], "PYTHONPATH": str(folder)}


def test_a_machine_that_can_stream_says_what_auto_picks(live_onnx):
    run = doctor("--model", live_onnx, "--json")
    told = json.loads(run.stdout)
    assert run.returncode == 0, run.stderr
    assert (told["can_stream"], told["obstacle"]) == (True, None)
    assert told["trial"]["backend"] in ("openvino", "onnxruntime")
    assert told["trial"]["precision"] in ("bf16", "fp32")
    assert told["machine"]["n_cores"] >= 1
    assert told["encoders"]["ffv1"] and told["decoders"]["hevc"]


def test_the_text_ends_with_the_verdict(live_onnx, capsys):
    assert main(["--model", str(live_onnx)]) == 0
    assert capsys.readouterr().out.endswith("\nstream.py     can run\n")
    assert main(["--model", "nonesuch"]) == 1
    assert "\nstream.py     can't run: no network 'nonesuch' is shipped" in capsys.readouterr().out


def test_a_bare_python_is_told_the_one_command_that_mends_it():
    run = doctor(**without_site_packages(Path("/nonexistent")))
    assert (run.returncode, run.stderr) == (1, "")
    assert "can't run: ModuleNotFoundError: No module named 'numpy'" in run.stdout
    mend = run.stdout.splitlines()[-1]
    assert mend.endswith(" numpy av onnx onnxruntime openvino")
    assert " -m pip install " in mend


def test_without_the_backends_the_rest_is_still_told(tmp_path):
    run = doctor("--json", **without_site_packages(tmp_path, "numpy", "av"))
    told = json.loads(run.stdout)
    packages = {package["name"]: package for package in told["packages"]}
    assert (run.returncode, told["can_stream"]) == (1, False)
    assert told["decoders"]["h264"]
    assert packages["av"]["version"] and not packages["av"]["problem"]
    assert [packages[name]["version"] for name in ("onnx", "onnxruntime", "openvino")] == [None, None, None]
    assert packages["openvino"]["install"].endswith(" openvino")
    assert told["obstacle"].splitlines()[-1].endswith(" onnx onnxruntime openvino")


def test_torch_is_never_imported(live_onnx):
    blocked = "import sys, runpy; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; "
    run_path = blocked + "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", run_path, str(ROOT / "runtime" / "doctor.py"), "--model", str(live_onnx)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_package_that_is_there_but_broken_is_told_with_what_mends_it():
    def broken():
        raise OSError("libfast.so: cannot open shared object file\nand more")

    finding = examine(Package("fast", "cpu", "speed", broken, also=("fast-gpu",)), {"fast-gpu": "1.0"})
    assert finding.version == "1.0"
    assert finding.problem == "does not work: OSError: libfast.so: cannot open shared object file"
    assert finding.install.endswith("--force-reinstall --no-deps fast-gpu")


def test_two_onnxruntimes_in_one_folder_are_noticed():
    both = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.0", "numpy": "2.4.6"}
    assert onnxruntime_clash({"onnxruntime": "1.31.1"}, has_gpu=True) is None
    assert onnxruntime_clash({"onnxruntime-gpu": "1.31.1"}, has_gpu=False) is None
    problem, mend = onnxruntime_clash(both, has_gpu=False).splitlines()
    assert problem.startswith("onnxruntime 1.31.1 and onnxruntime-gpu 1.31.0 are both installed")
    assert "pip uninstall --yes onnxruntime onnxruntime-gpu && " in mend
    assert mend.endswith(" onnxruntime")
    assert onnxruntime_clash(both, has_gpu=True).endswith(" onnxruntime-gpu")


def test_a_clash_warns_and_does_not_forbid(monkeypatch):
    both = {**installed_distributions(), "onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.0"}
    monkeypatch.setattr("runtime.diagnosis.installed_distributions", lambda: both)
    diagnosis = diagnose("nonesuch")
    assert "\nwarning       onnxruntime 1.31.1 and onnxruntime-gpu 1.31.0 are both" in str(diagnosis)
    assert "nonesuch" in diagnosis.obstacle


def test_installed_packages_are_found_under_the_name_pip_uses():
    installed = installed_distributions()
    assert installed["numpy"]
    assert "openvino-telemetry" in installed or "openvino" not in installed


def test_every_package_is_brought_by_the_extra_it_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    for package in PACKAGES:
        names = [need.split(">")[0].split("=")[0] for need in extras[package.extra]]
        assert package.name in names, f"{package.name} is not in {package.extra or 'dependencies'}: {names}"


def test_features_are_read_from_the_flags_of_an_x86_and_unknown_elsewhere():
    assert features_from_cpuinfo(X86) == {
        "AVX2": True,
        "AVX-512": True,
        "AVX512-VNNI": False,
        "AVX512-BF16": False,
        "AMX-BF16": True,
        "AMX-INT8": False,
    }
    assert features_from_cpuinfo(ARM) is None
    assert features_from_cpuinfo("") is None


def test_a_containers_quota_is_in_processors():
    assert quota_from_cpu_max("150000 100000\n") == 1.5
    assert quota_from_cpu_max("max 100000\n") is None
    assert quota_from_cpu_max("") is None


@pytest.mark.parametrize(
    "script, gpus, note",
    [
        ("echo 'NVIDIA H200, 570.1, 143771 MiB'", ("NVIDIA H200, 570.1, 143771 MiB",), None),
        ("echo 'no devices were found' >&2; exit 6", (), "nvidia-smi fails: no devices were found"),
        (None, (), "nvidia-smi, which comes with NVIDIA's driver, is not on PATH"),
    ],
)
def test_gpus_are_what_nvidia_smi_lists(tmp_path, monkeypatch, script, gpus, note):
    if script:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia_gpus() == (gpus, note)


def test_a_failing_engine_is_a_finding_not_a_crash(live_onnx, monkeypatch):
    from runtime import trial

    def fail(*arguments):
        raise AttributeError("module 'os' has no attribute 'sched_getaffinity'")

    monkeypatch.setattr(trial, "open_engine", fail)
    diagnosis = diagnose(str(live_onnx))
    assert not diagnosis.can_stream
    assert "AttributeError: module 'os' has no attribute" in diagnosis.obstacle
