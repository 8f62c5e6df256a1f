"""The way from a checkpoint to a file: load, export, end in pixels, verify, write.

float graph -> pixel ends -> float16 weights -> [gather nodes] -> verify -> [custom nodes] -> file
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import onnx
import torch
from torch import nn

from cvqe import __version__
from cvqe.checkpoint import Checkpoint, load_checkpoint, network_from_checkpoint
from cvqe.errors import UsageError
from cvqe.manifest import Manifest
from cvqe.models import create, hidden_channels, takes_guide, takes_qp
from cvqe.pixels import with_pixel_ends
from cvqe.whole_file import refuse_missing_folder
from export.graph import float_graph
from export.storage import store_as_float16
from export.verify import Verification, verify
from plugins.deform_conv.gather_nodes import with_gather_nodes
from plugins.deform_conv.onnx_nodes import with_custom_nodes

SHIPPED = Path(__file__).resolve().parents[1] / "weights" / "live.onnx"


@dataclass(frozen=True)
class ExportConfig:
    """What to export and how."""

    checkpoint: Path = SHIPPED
    model: str | None = None
    output: Path | None = None
    precision: str = "fp32"
    bit_depth: int = 8
    qp: Sequence[int] | None = None
    neighbors: str | None = None
    round_weights: bool = False
    deform_conv: str = "standard"


@dataclass(frozen=True)
class Exported:
    """A file that was written, and how it compares with torch."""

    path: Path
    manifest: Manifest
    verification: Verification

    def __str__(self) -> str:
        facts = (
            self.manifest.network,
            f"{self.manifest.n_parameters:,} parameters",
            self.manifest.precision,
            *(f"{name} DeformConv" for name in [self.manifest.deform_conv] if name != "standard"),
            f"{self.path.stat().st_size / 1e6:.2f} MB",
            f"within {self.verification.largest_error:.1e} of torch",
        )
        return f"{self.path}: {', '.join(facts)}"


def export(config: ExportConfig) -> Exported:
    """Write one verified ONNX file; nothing is left behind when it does not agree with torch.

    Raises:
        CvqeError: the checkpoint, the network or the output can't be what they are asked to be.
    """
    checkpoint = load_checkpoint(config.checkpoint, config.model)
    output = config.output or Path(f"{checkpoint.network}_{config.precision}.onnx")
    if output.resolve() == config.checkpoint.resolve():
        raise UsageError(f"{output} is the checkpoint itself; name another --output.")
    refuse_missing_folder(output)
    network = network_from_checkpoint(checkpoint)
    if config.round_weights:
        network = network.half().float()  # what float16 holds exactly is stored as float16
    manifest = manifest_of(checkpoint, network, config)
    model = build_model(network, manifest)
    verification = verify(model, network, manifest)
    if manifest.deform_conv == "custom":
        model = with_custom_nodes(model)  # nothing here runs our node: what was verified is the same graph before
    return Exported(write(model, output), manifest, verification)


def manifest_of(checkpoint: Checkpoint, network: nn.Module, config: ExportConfig) -> Manifest:
    """Return what the file will say of itself.

    Raises:
        ModelError: the network takes a QP, and neither the checkpoint nor the user says which it was trained on.
    """
    return Manifest(
        network=checkpoint.network,
        options=dict(checkpoint.options),
        radius=int(network.radius),
        qp=tuple(config.qp or checkpoint.qp),
        bit_depth=config.bit_depth,
        precision=config.precision,
        n_parameters=sum(parameter.numel() for parameter in network.parameters()),
        checkpoint_sha256=checkpoint.sha256,
        date=datetime.now(UTC).date().isoformat(),
        version=__version__,
        takes_qp=takes_qp(network),
        deform_conv=config.deform_conv,
        takes_guide=takes_guide(network),
        neighbors=config.neighbors or checkpoint.neighbors,
        hidden_channels=hidden_channels(network),
    )


def build_model(network: nn.Module, manifest: Manifest) -> onnx.ModelProto:
    """Export, give it pixel ends, float16 weights where exact, and its metadata; checked against the standard.

    One that is to hold custom nodes holds the standard's still, which can be run.
    """
    if manifest.precision == "fp16":
        network = create_half(network, manifest)
    model = with_pixel_ends(float_graph(network), manifest.bit_depth, manifest.window_frames)
    store_as_float16(model)
    if manifest.deform_conv == "gather":
        model = with_gather_nodes(model)
    onnx.helper.set_model_props(model, manifest.to_properties())
    model.producer_name, model.producer_version = "cvqe", manifest.version
    onnx.checker.check_model(model, full_check=True)
    return model


def create_half(network: nn.Module, manifest: Manifest) -> nn.Module:
    """Return a half-precision copy; whole-frame sums and the last sum are float32 islands inside the networks."""
    half = create(manifest.network, **manifest.options)
    half.load_state_dict(network.state_dict())
    return half.eval().to(torch.float16)


def write(model: onnx.ModelProto, path: Path) -> Path:
    """Write a file under its final name once it is whole."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_bytes(model.SerializeToString())
    unfinished.replace(path)
    return path
