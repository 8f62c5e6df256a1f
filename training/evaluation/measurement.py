"""One subject measured on one coded clip, frame by frame: what is kept on disk."""

import base64
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

import numpy as np

from training.evaluation.best_block import Block
from training.evaluation.provenance import Provenance
from training.evaluation.subject import Facts


@dataclass(frozen=True)
class CaseFacts:
    """The coded clip, and how much of it was measured (`first_frames` None: all)."""

    clip: str
    configuration: str
    qp: int | None
    first_frames: int | None
    gt_class: str
    width: int
    height: int
    bit_depth: int
    bitrate_kbps: float
    pristine_sha256: str
    coded_sha256: str

    @property
    def coding(self) -> tuple[str, int]:
        """Configuration and QP, to sort by; -1 where no QP is known."""
        return self.configuration, -1 if self.qp is None else self.qp

    @property
    def coding_title(self) -> str:
        """Configuration and QP to read: "ldp, QP 37"."""
        return self.configuration if self.qp is None else f"{self.configuration}, QP {self.qp}"


@dataclass(frozen=True)
class Measurement:
    """Every frame's quality, and what was measured where; lists have one number a frame.

    Attributes:
        ms: milliseconds the network or filter took; empty where nothing was computed.
        vmaf, vmaf_neg: empty where they were not asked for.
        block: the block that gained most, None for the decoded video itself.
    """

    case: CaseFacts
    subject: Facts
    provenance: Provenance
    psnr_db: list[float]
    ssim: list[float]
    ms: list[float]
    vmaf: list[float]
    vmaf_neg: list[float]
    block: Block | None

    @property
    def n_frames(self) -> int:
        """Frames measured."""
        return len(self.psnr_db)

    @property
    def ms_per_frame(self) -> float | None:
        """The median frame's time; the mean one's where frames come in bursts."""
        return None if not self.ms else (median if self.subject.is_steady else fmean)(self.ms)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {**asdict(self), "block": None if self.block is None else _json_from_block(self.block)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Measurement":
        """Build a measurement again.

        Raises:
            KeyError, TypeError, ValueError: it was not written by `to_json`.
        """
        parts = {
            "case": CaseFacts(**content["case"]),
            "subject": Facts(**content["subject"]),
            "provenance": Provenance(**content["provenance"]),
            "block": None if content["block"] is None else _block_from_json(content["block"]),
        }
        return cls(**{**content, **parts})


def _json_from_block(block: Block) -> dict[str, Any]:
    memory = io.BytesIO()
    np.savez_compressed(memory, decoded=block.decoded, enhanced=block.enhanced, pristine=block.pristine)
    place = {"frame": block.frame, "top": block.top, "left": block.left}
    return {**place, "planes_npz": base64.b64encode(memory.getvalue()).decode()}


def _block_from_json(content: Mapping[str, Any]) -> Block:
    place = {name: content[name] for name in ("frame", "top", "left")}
    with np.load(io.BytesIO(base64.b64decode(content["planes_npz"])), allow_pickle=False) as planes:
        return Block(**place, **{name: planes[name] for name in ("decoded", "enhanced", "pristine")})
