"""What an engine says of itself in the JSON beside it: m.engine is told by m.engine.json."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cvqe.errors import ModelError, UsageError
from cvqe.manifest import PREFIX, WINDOW, Manifest, manifest_from_properties

FORMAT = 1  # raised when a field changes its meaning: older files are then built anew
LIBRARIES = ("tensorrt", "tensorrt-rtx")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class ShapeRange:
    """The shapes of one input that an engine takes, and the one it is fast for; all of one rank."""

    min: Shape
    opt: Shape
    max: Shape

    @property
    def is_static(self) -> bool:
        """One shape only."""
        return self.min == self.max

    def holds(self, shape: Shape) -> bool:
        """Say whether a shape lies between the smallest and the largest, dimension by dimension."""
        if len(shape) != len(self.min):
            return False
        return all(low <= size <= high for low, size, high in zip(self.min, shape, self.max, strict=True))

    def __str__(self) -> str:
        if self.is_static:
            return shape_text(self.min)
        return f"{shape_text(self.min)} to {shape_text(self.max)}"


@dataclass(frozen=True)
class EngineManifest:
    """Everything an engine was made from and for.

    Attributes:
        engine_sha256: checksum of the engine; an engine with another one is not this engine.
        key: checksum of the request (export/engine_cache.py): the same request gives the same key.
        onnx: the ONNX file, seen from the engine's folder; `onnx_sha256` is the file's, as it lies on disk.
        plugin_sha256: checksum of our DeformConv plugin's code, None where the network has no such node.
        library: one of LIBRARIES; an engine runs under the very version it was built by.
        cuda_version: newest CUDA the driver of the building machine offers, None where there is none.
        compute_capabilities: GPUs it runs on, 89 for 8.9.
        is_portable: newer ones than those named, too.
        device: the GPU it was tuned on, None when it was compiled ahead of time.
        build: the whole build configuration, flags of build_engine.py with their values; None: the library's default.
        profile: the shapes of every input.
        n_fused: DeformConv nodes that the sigmoid of their mask was folded into.
        network: what the ONNX file says of itself.
        date: when, UTC, ISO 8601.
        version: of cvqe.
    """

    engine_sha256: str
    engine_bytes: int
    key: str
    onnx: str
    onnx_sha256: str
    plugin_sha256: str | None
    library: str
    library_version: str
    cuda_version: str | None
    driver_version: str | None
    compute_capabilities: tuple[int, ...]
    is_portable: bool
    device: str | None
    build: Mapping[str, Any]
    profile: Mapping[str, ShapeRange]
    n_fused: int
    network: Manifest
    date: str
    version: str

    @property
    def precision(self) -> str:
        """Precision of the network, which the ONNX file alone decides."""
        return self.network.precision

    @property
    def window(self) -> ShapeRange:
        """Shapes of the window."""
        return self.profile[WINDOW]

    def to_json(self) -> str:
        """Write it as JSON for people too: compute capabilities as "8.9", shapes as "1x7x720x1280"."""
        told = {
            "format": FORMAT,
            **asdict(self),
            "precision": self.precision,
            "compute_capabilities": [capability_text(each) for each in self.compute_capabilities],
            "profile": {
                name: {"min": shape_text(sizes.min), "opt": shape_text(sizes.opt), "max": shape_text(sizes.max)}
                for name, sizes in self.profile.items()
            },
        }
        return json.dumps(told, indent=2) + "\n"


def engine_manifest_from_json(text: str, origin: str) -> EngineManifest:
    """Read a manifest back.

    Args:
        text: what `EngineManifest.to_json` wrote.
        origin: the file's name, for messages.

    Raises:
        ModelError: it does not parse, a field is missing or of another kind, or its format is not ours.
    """
    try:
        told = json.loads(text)
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            found = told.get("format") if isinstance(told, dict) else type(told).__name__
            raise ValueError(f"its format is {found!r}, {FORMAT} was expected")
        return _manifest_from(told, origin)
    except (ValueError, TypeError, KeyError, AttributeError, UsageError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ModelError(f"{origin} does not tell what its engine is ({reason}).") from error


def manifest_path(engine: Path) -> Path:
    """Name the manifest of an engine: m.engine.json beside m.engine."""
    return engine.with_name(engine.name + ".json")


def shape_text(shape: Shape) -> str:
    """Spell a shape as trtexec does: 1x7x720x1280; a scalar is `scalar`."""
    return "x".join(map(str, shape)) or "scalar"


def shape_from_text(text: str) -> Shape:
    """Read a shape: 1x7x720x1280; `scalar` has no dimension.

    Raises:
        UsageError: it is none, or a size is 0.
    """
    if text == "scalar":
        return ()
    if not isinstance(text, str) or not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", text):
        raise UsageError(f"{text!r} is no shape; one such as 1x7x720x1280 was expected.")
    return tuple(map(int, text.split("x")))


def capability_text(capability: int) -> str:
    """Spell a compute capability: 89 gives 8.9, 120 gives 12.0."""
    return f"{capability // 10}.{capability % 10}"


def capability_from_text(text: str) -> int:
    """Read a compute capability: 8.9 gives 89.

    Raises:
        UsageError: it is none.
    """
    if not re.fullmatch(r"\d{1,2}\.\d", text):
        raise UsageError(f"{text!r} is no compute capability; one such as 8.9 or 12.0 was expected.")
    return int(text.replace(".", ""))


def _manifest_from(told: Mapping[str, Any], origin: str) -> EngineManifest:
    values = {field.name: told[field.name] for field in fields(EngineManifest)}
    network = {PREFIX + name: json.dumps(value) for name, value in values["network"].items()}
    profile = {
        name: ShapeRange(*(shape_from_text(sizes[end]) for end in ("min", "opt", "max")))
        for name, sizes in values["profile"].items()
    }
    capabilities = tuple(capability_from_text(each) for each in values["compute_capabilities"])
    manifest = EngineManifest(
        **{
            **values,
            "network": manifest_from_properties(network, origin),
            "profile": profile,
            "compute_capabilities": capabilities,
        }
    )
    _check_kinds(manifest)
    return manifest


def _check_kinds(manifest: EngineManifest) -> None:
    texts = ("engine_sha256", "key", "onnx", "onnx_sha256", "library", "library_version", "date", "version")
    optional = ("plugin_sha256", "cuda_version", "driver_version", "device")
    for name in (*texts, *optional):
        value = getattr(manifest, name)
        if not (isinstance(value, str) or (value is None and name in optional)):
            raise ValueError(f"{name} is {value!r}, a text was expected")
    if manifest.library not in LIBRARIES:
        raise ValueError(f"library is {manifest.library!r}, one of {', '.join(LIBRARIES)} was expected")
    if WINDOW not in manifest.profile:
        raise ValueError(f"profile names no input {WINDOW!r}")
    if not isinstance(manifest.build, dict) or type(manifest.engine_bytes) is not int:
        raise ValueError("build or engine_bytes is of another kind")
