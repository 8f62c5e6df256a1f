"""The ONNX file as TensorRT gets it: in memory, at one depth, sizes written in, DeformConv as our plugin takes it."""

from dataclasses import dataclass
from pathlib import Path

import onnx

from cvqe.engine_manifest import ShapeRange
from cvqe.manifest import Manifest
from export.engine_options import EngineOptions
from export.engine_profile import fix_static_dims, profile_of
from export.quantisation_check import refuse_foreign_scales
from plugins.deform_conv.node_facts import CUSTOM, STANDARD
from plugins.deform_conv.onnx_nodes import with_fused_masks
from runtime.model_file import load_model_file


@dataclass(frozen=True)
class EngineSource:
    """What an engine is built from.

    Attributes:
        path: the ONNX file; `onnx_sha256` is the checksum of what lies on disk.
        model: what the library parses.
        n_deform_conv: nodes that our plugin takes; `n_fused` of them apply the mask's sigmoid themselves.
    """

    path: Path
    onnx_sha256: str
    network: Manifest
    model: onnx.ModelProto
    profile: dict[str, ShapeRange]
    n_deform_conv: int
    n_fused: int


def load_engine_source(path: Path, options: EngineOptions) -> EngineSource:
    """Read an ONNX file and prepare it; the file stays as it is.

    Raises:
        UsageError: there is no such file, or the shapes asked for do not fit it.
        ModelError: it is none of ours, or its scales are none that TensorRT takes.
    """
    file = load_model_file(path)
    asked = file.for_bit_depth(options.bit_depth or file.manifest.bit_depth)
    model = onnx.load_from_string(asked.content)
    refuse_foreign_scales(model, path)
    profile = profile_of(model, options.shapes)
    fix_static_dims(model, profile)
    n_deform_conv = count(model, STANDARD, CUSTOM)
    model, n_fused = with_fused_masks(model) if options.build.fused_masks else (model, 0)
    return EngineSource(path, file.sha256, asked.manifest, model, profile, n_deform_conv, n_fused)


def count(model: onnx.ModelProto, *op_types: str) -> int:
    """Return how many nodes are of these types."""
    return sum(node.op_type in op_types for node in model.graph.node)
