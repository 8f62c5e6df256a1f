"""Float graphs, traced once for all tests and their processes: torch takes ten seconds and more for a network."""

import hashlib
from pathlib import Path

import onnx
from torch import nn

from cvqe.file_lock import locked
from export.exporter import write
from export.graph import float_graph


def traced_once(network: nn.Module, folder: Path) -> onnx.ModelProto:
    """Return what float_graph returns; of a network that is the same in all it holds, from the folder."""
    path = folder / f"{identity(network)}.onnx"
    with locked(path):  # a second process waits for what the first one makes
        if not path.exists():
            write(float_graph(network), path)
    return onnx.load(path)


def identity(network: nn.Module) -> str:
    """Return a checksum of a network's modules, their settings and its weights."""
    digest = hashlib.sha256()
    for name, module in network.named_modules():
        settings = {key: value for key, value in vars(module).items() if isinstance(value, bool | int | float | str)}
        settings["training"] = False  # float_graph sees to that
        digest.update(repr([name, type(module).__qualname__, module.extra_repr(), settings]).encode())
    for name, value in network.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()
