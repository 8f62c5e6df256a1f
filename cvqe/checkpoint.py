"""Checkpoints in their several forms: one name, one state dict."""

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from cvqe.errors import InputError, ModelError
from cvqe.manifest import manifest_from_properties
from cvqe.models import create
from cvqe.neighbors import ADJACENT
from cvqe.public_names import PUBLIC, recognise

StateDict = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Trained weights and what is known of them."""

    network: str
    state_dict: StateDict
    sha256: str
    options: Mapping[str, Any] = field(default_factory=dict)
    qp: tuple[int, ...] = ()
    neighbors: str = ADJACENT


def load_checkpoint(path: Path, network: str | None = None) -> Checkpoint:
    """Read a checkpoint: ours (.pt, .safetensors, .onnx), or an official state dict of a network in PUBLIC.

    A network named in the file, or recognised by its tensor names, must be the one asked for.

    Raises:
        InputError: the file can't be read, or is a pickle that carries code.
        ModelError: the tensors are no known network's, or another's than `network`.
    """
    if not path.is_file():
        raise InputError(f"{path} is no file; name a checkpoint (.pt, .pth, .safetensors) or a shipped .onnx.")
    readers = {".onnx": _from_onnx, ".safetensors": _from_safetensors}
    checkpoint = readers.get(path.suffix, _from_pickle)(path, network)
    if network is not None and checkpoint.network != network:
        raise ModelError(
            f"{path} holds {checkpoint.network}, not {network}; export it with --model {checkpoint.network}."
        )
    return checkpoint


def network_from_checkpoint(checkpoint: Checkpoint) -> nn.Module:
    """Create the network and load its weights, every one of them.

    Raises:
        ModelError: a tensor is missing, unknown or of another shape.
    """
    network = create(checkpoint.network, **checkpoint.options).eval()
    try:
        network.load_state_dict(checkpoint.state_dict, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise ModelError(f"the weights do not fit {checkpoint.network}: {first}") from error
    return network


def _from_pickle(path: Path, network: str | None) -> Checkpoint:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path} is no checkpoint of plain tensors ({reason}); files that carry code are not opened. "
            "Save the state dict alone:  torch.save(network.state_dict(), FILE)"
        ) from error
    return _from_mapping(content, path, network)


def _from_mapping(content: Any, path: Path, network: str | None) -> Checkpoint:
    if not isinstance(content, Mapping):
        raise ModelError(f"{path} holds a {type(content).__name__}; a checkpoint is a dict of tensors.")
    weights = content.get("state_dict", content)
    state_dict = {str(name).removeprefix("module."): value for name, value in weights.items()}
    if not all(isinstance(value, Tensor) for value in state_dict.values()):
        raise ModelError(f"{path} holds other things than tensors; save the state dict alone.")
    options = content.get("options", {})
    name = content.get("network")
    if name is None:
        name, options = (network, options) if network not in (None, *PUBLIC) else recognise(state_dict, path)
    qp, neighbors = tuple(content.get("qp", ())), str(content.get("neighbors", ADJACENT))
    return Checkpoint(str(name), state_dict, _sha256(path), options, qp, neighbors)


def _from_safetensors(path: Path, network: str | None) -> Checkpoint:
    from safetensors import SafetensorError, safe_open  # of the train extra

    try:
        with safe_open(path, framework="pt") as file:
            content: dict[str, Any] = {"state_dict": {name: file.get_tensor(name) for name in file.keys()}}  # noqa: SIM118
            content |= _told(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} does not open as safetensors ({error}).") from error
    return _from_mapping(content, path, network)


def _told(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return what a safetensors file says of its network: its name as it is, all else as JSON."""
    facts = {key: json.loads(metadata[key]) for key in ("options", "qp", "neighbors") if key in metadata}
    return {**facts, "network": metadata["network"]} if "network" in metadata else facts


def _from_onnx(path: Path, network: str | None) -> Checkpoint:
    """Read the initialisers that carry the state dict's names; those of the graph's own making hold a slash."""
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's own errors have no common public parent
        raise InputError(f"{path} does not open as ONNX ({error}).") from error
    manifest = manifest_from_properties({entry.key: entry.value for entry in model.metadata_props}, str(path))
    tensors = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).astype("float32"))
        for tensor in model.graph.initializer
        if "/" not in tensor.name
    }
    return Checkpoint(
        manifest.network, tensors, manifest.checkpoint_sha256, manifest.options, manifest.qp, manifest.neighbors
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
