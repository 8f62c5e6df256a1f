"""Small things to evaluate: clips with known errors, a network of one addition, measurements out of thin air."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cvqe.manifest import Manifest
from cvqe.pixels import FLOAT_LUMA, FLOAT_WINDOW, with_pixel_ends
from training.evaluation.best_block import Block
from training.evaluation.measurement import CaseFacts, Measurement
from training.evaluation.provenance import Provenance
from training.evaluation.results import Result
from training.evaluation.subject import DECODED, Facts

HERE = Provenance("a machine, 2 cores", "abc1234", "training/evaluate.py clips", "2026-01-31")


def write_luma(path: Path, planes: Sequence[np.ndarray], pix_fmt: str = "gray") -> Path:
    """Store luma planes without loss; packets are as large as FFV1 makes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width = planes[0].shape
        stream.pix_fmt = pix_fmt
        for number, plane in enumerate(planes):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(plane), format=pix_fmt)
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def clean_planes(n_frames: int = 5, height: int = 40, width: int = 48, seed: int = 0) -> list[np.ndarray]:
    """Return random pictures far from black and white."""
    random = np.random.default_rng(seed)
    return [random.integers(60, 190, (height, width), dtype=np.uint8) for _ in range(n_frames)]


def darker(planes: Sequence[np.ndarray], levels: Sequence[int]) -> list[np.ndarray]:
    """Return planes that are wrong by so many levels, a number a frame."""
    return [(plane - level).astype(np.uint8) for plane, level in zip(planes, levels, strict=True)]


def brightening_model(path: Path, levels: int, radius: int = 1) -> Path:
    """Write a network that makes the middle frame brighter by whole levels."""
    parts = {"middle": np.array([radius]), "step": np.array(levels / 255, np.float32)}
    nodes = [
        helper.make_node("Gather", [FLOAT_WINDOW, "middle"], ["target"], axis=1),
        helper.make_node("Add", ["target", "step"], [FLOAT_LUMA]),
    ]
    shape = [1, 2 * radius + 1, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "brighten",
        [helper.make_tensor_value_info(FLOAT_WINDOW, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(FLOAT_LUMA, TensorProto.FLOAT, [1, 1, "height", "width"])],
        [numpy_helper.from_array(value, name) for name, value in parts.items()],
    )
    core = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model = with_pixel_ends(core, 8, 2 * radius + 1)
    manifest = Manifest("brighten", {}, radius, (37,), 8, "fp32", 1, f"{levels:064}", "2026-01-31", "0")
    onnx.helper.set_model_props(model, manifest.to_properties())
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def case_facts(clip: str = "a", qp: int | None = 37, first_frames: int | None = None, **changed: object) -> CaseFacts:
    """Return a coded clip of 416x240."""
    facts = CaseFacts(
        clip=clip,
        configuration="ldp",
        qp=qp,
        first_frames=first_frames,
        gt_class="A",
        width=416,
        height=240,
        bit_depth=8,
        bitrate_kbps=100.0 * 2 ** (-(qp or 0) / 6),
        pristine_sha256="p",
        coded_sha256=f"c{clip}{qp}",
    )
    return replace(facts, **changed)


def measurement(case: CaseFacts, subject: Facts, psnr_db: Sequence[float], **changed: object) -> Measurement:
    """Return what was measured; SSIM follows PSNR."""
    is_decoded = subject.name == DECODED
    planes = [np.full((96, 96), level, np.uint8) for level in (100, 110, 112)]
    facts = Measurement(
        case,
        subject,
        HERE,
        psnr_db=list(psnr_db),
        ssim=[value / 50 for value in psnr_db],
        ms=[] if is_decoded else [10.0, 30.0, 20.0],
        vmaf=[],
        vmaf_neg=[],
        block=None if is_decoded else Block(1, 96, 0, *planes),
    )
    return replace(facts, **changed)


def result(case: CaseFacts, name: str, before: Sequence[float], after: Sequence[float], **changed: object) -> Result:
    """Return a subject beside the decoded video."""
    subject = Facts(name, backend="openvino")
    return Result(measurement(case, Facts(DECODED), before), measurement(case, subject, after, **changed))
