"""What the comparison networks are to have: their published counts, and small versions of them to compute with."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHAPES = Path(__file__).parent


@dataclass(frozen=True)
class Comparison:
    """One network, and what it is to count.

    Attributes:
        macs: exact multiply-accumulates of one frame of 416x240, deformable convolutions included.
        small: options of one with few channels, where there are any: what tests compute with.
    """

    name: str
    n_parameters: int
    macs: int
    options: dict[str, Any] = field(default_factory=dict)
    small: dict[str, Any] = field(default_factory=dict)


COMPARISONS = (
    Comparison("stdf_r1", 329_842, 20_448_829_440, small={"fusion": 8, "channels": 8, "hidden": 1, "fused": 16}),
    Comparison("stdf_r3", 364_510, 23_899_299_840, small={"fusion": 8, "channels": 8, "hidden": 1, "fused": 16}),
    Comparison("stdf_r3l", 1_274_622, 77_482_229_760, small={"fusion": 8, "channels": 8, "hidden": 1, "fused": 16}),
    Comparison("rfda", 1_270_430, 54_838_768_992, small={"fused": 8, "fusion": 8, "channels": 32, "hidden": 2}),
    Comparison("cf_stif", 2_219_550, 165_849_415_680, small={"channels": 8, "frame_channels": 4}),
    Comparison("mfqe2", 255_422, 23_375_738_880, small={"channels": 8, "motion": 8}),
    Comparison("mfqe2", 222_859, 20_140_922_880, {"dense": False}, {"dense": False, "channels": 8, "motion": 8}),
    Comparison("mfqe", 1_787_547, 176_330_618_880, small={"channels": 16, "motion": 8}),
    Comparison("arcnn", 106_561, 10_627_768_320, small={"channels": 16}),
    Comparison("vrcnn", 54_673, 5_442_478_080, small={"channels": 16}),
    Comparison("dncnn", 665_921, 66_364_047_360, small={"channels": 8}),
    Comparison("dncnn", 555_137, 55_322_542_080, {"layers": 17}, {"layers": 17, "channels": 8}),
    Comparison("dcad", 296_641, 29_559_029_760, small={"channels": 8}),
    Comparison("memnet", 695_497, 288_708_526_080, small={"blocks": 2, "runs": 2, "channels": 8}),
)


def official_shapes(name: str) -> dict[str, list[int]]:
    """Return the tensors of a public checkpoint and their shapes."""
    shapes: dict[str, list[int]] = json.loads((SHAPES / f"{name}_official.json").read_text())
    return shapes
