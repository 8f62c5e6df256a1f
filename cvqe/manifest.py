"""What a model file says of itself: the words that stages share through a file's metadata."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from cvqe.errors import ModelError

PREFIX = "cvqe."
BIT_DEPTHS = (8, 16)  # bits a sample is stored in: one byte, or a little-endian pair

# names of an exported graph's inputs and outputs, the same in every file
WINDOW, PEAK = "window", "peak"  # uint8 [1, 2R+1, H, W] or [1, 2R+1, H, W, 2]; float32 scalar, with byte pairs only
ENHANCED, MEAN = (
    "enhanced",
    "enhanced_mean",
)  # uint8 [1, 1, H, W] or [1, 1, H, W, 2]; float32 scalar, not finite when a pixel isn't


@dataclass(frozen=True)
class Manifest:
    """The facts a runtime or an engine builder must know about an exported network."""

    network: str
    options: Mapping[str, Any]
    radius: int
    qp: tuple[int, ...]
    bit_depth: int
    precision: str
    n_parameters: int
    checkpoint_sha256: str
    date: str
    version: str

    @property
    def window_frames(self) -> int:
        """Frames in a window, 2R+1."""
        return 2 * self.radius + 1

    def to_properties(self) -> dict[str, str]:
        """Return the metadata_props of an ONNX file: one JSON value a field."""
        return {PREFIX + name: json.dumps(value) for name, value in asdict(self).items()}


def manifest_from_properties(properties: Mapping[str, str], origin: str) -> Manifest:
    """Read a manifest back from metadata_props.

    Raises:
        ModelError: a field is missing or does not parse; the file was not exported by cvqe.
    """
    missing = [field.name for field in fields(Manifest) if PREFIX + field.name not in properties]
    if missing:
        raise ModelError(
            f"{origin} carries no cvqe metadata ({missing[0]} is missing), so its window and depth are unknown. "
            f"Export it again:  python export/to_onnx.py --checkpoint FILE --output {origin}"
        )
    try:
        values = {field.name: json.loads(properties[PREFIX + field.name]) for field in fields(Manifest)}
        return Manifest(**{**values, "qp": tuple(values["qp"])})
    except (ValueError, TypeError) as error:
        raise ModelError(f"{origin} carries cvqe metadata that does not parse ({error}); export it again.") from error
