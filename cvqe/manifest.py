"""What a model file says of itself: the words that stages share through a file's metadata."""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any

from cvqe.errors import ModelError, UsageError
from cvqe.neighbors import ADJACENT, checked_neighbors, reach

PREFIX = "cvqe."
BIT_DEPTHS = (8, 16)  # bits a sample is stored in: one byte, or a little-endian pair
# how a file writes deformable convolutions: the standard's node, ours, or plain nodes around GatherElements
DEFORM_CONVS = ("standard", "custom", "gather")
QUANTISED = ("int8", "fp8")  # precisions whose scales stand in the file, as pairs of Q and DQ nodes

# names of an exported graph's inputs and outputs, the same in every file
WINDOW, PEAK = "window", "peak"  # uint8 [1, 2R+1, H, W] or [1, 2R+1, H, W, 2]; float32 scalar, with byte pairs only
QP = "qp"  # float32 [1], the quantiser of the target; only where the network takes one
# float32 [1, 1, H, W], the mean of the target's decoded luma in each of its transform units, in levels of the video's
# own depth; only where the network takes one
GUIDE = "guide"
# float32 [1, C, H, W] both: what the network left behind with the frame before, zeros where a scene begins, and what it
# leaves behind with this one; only where it is recurrent
HIDDEN, HIDDEN_NEXT = "hidden", "hidden_next"
ENHANCED, MEAN = (
    "enhanced",
    "enhanced_mean",
)  # uint8 [1, 1, H, W] or [1, 1, H, W, 2]; float32 scalar, not finite when a pixel isn't


@dataclass(frozen=True)
class Manifest:
    """The facts a runtime or an engine builder must know about an exported network.

    Attributes:
        qp: quantisers it was trained on, of the scale of HEVC and H.264.
        takes_qp: it is told the target's quantiser, in the input QP; files from before there was one don't say.
        deform_conv: one of DEFORM_CONVS; files from before there was a choice hold the standard's node, and don't say.
        takes_guide: it is given the target's guided map, in the input GUIDE.
        neighbors: one of cvqe.neighbors.NEIGHBORS: which frames make its window.
        precision: what it computes in: fp32, fp16, or one of QUANTISED.
        calibration: how its scales came about, and what its gate measured; empty where there are none. See
            calibration/calibrate.py.
        hidden_channels: C of the state that it hands on from frame to frame, as large as the frame, in the input HIDDEN
            and the output HIDDEN_NEXT; 0: none, as in files from before there were such networks.

    Raises:
        ModelError: it takes a QP and nothing says which ones it was trained on, or there are no such neighbors.
    """

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
    takes_qp: bool = False
    deform_conv: str = "standard"
    takes_guide: bool = False
    neighbors: str = ADJACENT
    calibration: Mapping[str, Any] = field(default_factory=dict)
    hidden_channels: int = 0

    def __post_init__(self) -> None:
        checked_neighbors(self.neighbors, self.radius)
        if self.takes_qp and not self.qp:
            raise ModelError(
                f"{self.network} takes a QP, but nothing says which ones it was trained on; its lowest and highest "
                "were expected. Export it with them:  python export/to_onnx.py --qp 22 42"
            )

    @property
    def window_frames(self) -> int:
        """Frames in a window, 2R+1."""
        return 2 * self.radius + 1

    @property
    def is_recurrent(self) -> bool:
        """Whether it hands on a state from frame to frame, so that its frames are to be enhanced in order."""
        return self.hidden_channels > 0

    @property
    def reach(self) -> int:
        """Frames on either side of a target that must be at hand to choose its window's from."""
        return reach(self.neighbors, self.radius)

    @property
    def is_quantised(self) -> bool:
        """Whether its weights are rounded, and its scales fixed, so that no other precision can be asked of it."""
        return self.precision in QUANTISED

    @property
    def forced_past(self) -> str | None:
        """What the gate had against this file, where it was written all the same."""
        if not self.calibration.get("forced"):
            return None
        objections = self.calibration.get("gate", {}).get("objections", [])
        return "; ".join(objections) or "what it loses was not measured"

    @property
    def middle_qp(self) -> float:
        """What stands for a QP that nobody knows: halfway between the lowest and the highest trained on."""
        return (min(self.qp) + max(self.qp)) / 2

    def trained_qp(self, qp: float) -> float:
        """Return the QP nearest to `qp` between the lowest and the highest trained on.

        Raises:
            UsageError: it is NaN or infinite.
        """
        if not math.isfinite(qp):
            raise UsageError(f"{self.network} can't be told a QP of {qp}; a number was expected, as in  --qp 37")
        return min(max(qp, min(self.qp)), max(self.qp))

    def to_properties(self) -> dict[str, str]:
        """Return the metadata_props of an ONNX file: one JSON value a field."""
        return {PREFIX + name: json.dumps(value) for name, value in asdict(self).items()}


def manifest_from_properties(properties: Mapping[str, str], origin: str) -> Manifest:
    """Read a manifest back from metadata_props.

    Raises:
        ModelError: a field is missing, does not parse or is none that a network can have.
    """
    told = [each.name for each in fields(Manifest) if PREFIX + each.name in properties]
    missing = [each.name for each in fields(Manifest) if each.name not in told and _is_required(each)]
    if missing:
        raise ModelError(
            f"{origin} carries no cvqe metadata ({missing[0]} is missing), so its window and depth are unknown. "
            f"Export it again:  python export/to_onnx.py --checkpoint FILE --output {origin}"
        )
    try:
        values = {name: json.loads(properties[PREFIX + name]) for name in told}
        return Manifest(**{**values, "qp": tuple(values["qp"])})
    except ModelError as error:
        raise ModelError(
            f"{origin} says what no network can be: {error}\n"
            f"Export it again:  python export/to_onnx.py --checkpoint FILE --output {origin}"
        ) from error
    except (ValueError, TypeError) as error:
        raise ModelError(f"{origin} carries cvqe metadata that does not parse ({error}); export it again.") from error


def _is_required(each: "Field[Any]") -> bool:
    return each.default is MISSING and each.default_factory is MISSING
