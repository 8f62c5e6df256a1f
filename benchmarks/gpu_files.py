"""The files a network is measured from: its ONNX file, and the engine a TensorRT library makes of it; never timed."""

import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.gpu_result import NotPossible
from benchmarks.report import ROOT
from cvqe.errors import BackendError
from plugins.tensorrt_modules import compute_capabilities, load_tensorrt
from runtime.engine_file import build_command
from runtime.model_file import ModelFile, load_model_file

CHECKPOINT = Path("training/checkpoints/tgafnet_qp37.safetensors")
EXPORTED = Path("out/tgafnet_fp16.onnx")  # both below the project's folder
EXPORT = f"python export/to_onnx.py --checkpoint {CHECKPOINT} --precision fp16 --output {EXPORTED}"


def tgafnet_file() -> ModelFile:
    """Return TGAFNet in half precision, exported now; where the exporter can't run, the file of an earlier time.

    Raises:
        NotPossible: there is neither.
    """
    path = ROOT / EXPORTED
    if find_spec("onnxscript") is None:
        if not path.is_file():
            raise NotPossible(f"onnxscript is not installed, so {EXPORTED} has to be exported elsewhere:  {EXPORT}")
        return load_model_file(path)
    from export.exporter import ExportConfig, export

    path.parent.mkdir(exist_ok=True)
    return load_model_file(export(ExportConfig(ROOT / CHECKPOINT, output=path, precision="fp16")).path)


def build_engine(model: ModelFile, height: int, width: int, library: str) -> None:
    """Build an engine into engines/, in a process of its own; the one that is there already is kept.

    Args:
        model: a network's ONNX file.
        height: of a frame, px; so is `width`.
        library: `tensorrt` or `tensorrt-rtx`.

    Raises:
        NotPossible: the library does not build for this GPU.
        BackendError: it could not, for the reason that export/build_engine.py gives.
    """
    major, minor = torch.cuda.get_device_capability()
    targets = compute_capabilities(load_tensorrt(library))
    if targets and 10 * major + minor not in targets:
        raise NotPossible(f"{library} does not build for compute capability {major}.{minor}")
    command = build_command(model.path.resolve(), height, width, library, model.manifest)
    _, *arguments = shlex.split(command)
    line = [sys.executable, *arguments, "--skipInference"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackendError(reason_in(done.stderr) or f"{command} ends with exit code {done.returncode}")


def reason_in(said: str) -> str:
    """Return the message that a script of ours ends with behind its progress; of a traceback, its last line."""
    _, mark, message = said.rpartition("build_engine: ")
    return message.strip() if mark else said.strip().rpartition("\n")[2]
