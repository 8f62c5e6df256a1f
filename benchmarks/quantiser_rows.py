"""One way to an INT8 file, measured: what the file is, what it loses, how fast and how large it is."""

import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import onnx

from benchmarks import report
from benchmarks.quantiser_cases import OWN, QuantiserCase, quantised_by
from calibration.computing import engine_for, enhanced_luma, model_in_memory
from calibration.gate import Verdict, judge
from calibration.run import Frames, with_manifest
from calibration.samples import feeds
from calibration.sized import Size, sized
from calibration.speed import speedup, times_ms
from cvqe.errors import ModelError
from export.quantisation_check import refuse_foreign_scales
from runtime.model_file import ModelFile

Row = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """A file that was quantised in one way, and what it loses; not timed yet.

    Attributes:
        seconds: that its scales and weights took.
    """

    case: QuantiserCase
    model: onnx.ModelProto
    seconds: float
    verdict: Verdict


@dataclass(frozen=True)
class Bench:
    """What every way is measured on.

    Attributes:
        sizes: (height, width) of the frames that are timed.
        rounds: of timing, at each size.
    """

    source: ModelFile
    frames: Frames
    sizes: Sequence[Size]
    rounds: int

    def judged(self, case: QuantiserCase) -> Judged:
        """Quantise in one way, and measure what that loses.

        Raises:
            MissingLibraryError: its library is not here.
            BackendError: no backend here runs what it wrote.
        """
        manifest = self.source.manifest
        samples = [feeds(sample, manifest) for sample in self.frames.calibrated_on]
        exported = onnx.load_from_string(self.source.content)
        start = time.perf_counter()
        with redirect_stdout(sys.stderr):  # libraries tell what they do; rows are ours
            model = quantised_by(case, exported, samples)
        seconds = time.perf_counter() - start
        model = with_manifest(model, replace(manifest, precision="int8"))
        return Judged(case, model, seconds, judge(exported, model, self.frames.judged_on))

    def rows(self, files: Sequence[Judged]) -> list[Row]:
        """Time files, and tell everything of them."""
        speeds = {column(size): self._speedups(files, size) for size in self.sizes}
        return [
            {
                "library": each.case.library,
                "method": each.case.method,
                "placement": each.case.placement,
                **facts(each.model),
                **losses(each.verdict),
                **{name: own[number] for name, own in speeds.items()},
                "seconds": f"{each.seconds:.1f}",
                **origin(each.case),
            }
            for number, each in enumerate(files)
        ]

    def _speedups(self, files: Sequence[Judged], size: Size) -> list[str]:
        """Return how many times as fast each is as the network by itself, all of them in turns.

        Empty for a file that nothing here computes in int8.
        """
        window = sized(self.frames.judged_on[0], size)
        backends = [each.verdict.backend for each in files]
        models: dict[str | int, tuple[ModelFile, str]] = {name: (self.source, name) for name in backends if name}
        for number, (each, name) in enumerate(zip(files, backends, strict=True)):
            if name:
                models[number] = model_in_memory(each.model, "quantised"), name
        runs = {
            key: partial(enhanced_luma, engine_for(model, size, name), window) for key, (model, name) in models.items()
        }
        times = times_ms(runs, self.rounds)
        return [f"{speedup(times[name], times[number]):.3f}" if name else "" for number, name in enumerate(backends)]


def facts(model: onnx.ModelProto) -> Row:
    """Say what a file is: convolutions whose weights are rounded, whether TensorRT takes its scales, bytes."""
    rounded = {output for node in model.graph.node if node.op_type == "DequantizeLinear" for output in node.output}
    return {
        "convolutions": sum(node.op_type == "Conv" and node.input[1] in rounded for node in model.graph.node),
        "tensorrt": "yes" if is_taken_by_tensorrt(model) else "no",
        "bytes": model.ByteSize(),
    }


def is_taken_by_tensorrt(model: onnx.ModelProto) -> bool:
    """Tell whether Q and DQ nodes are of the kind that export/build_engine.py lets pass."""
    try:
        refuse_foreign_scales(model, Path("quantised.onnx"))
    except ModelError:
        return False
    return True


def losses(verdict: Verdict) -> Row:
    """Say what the gate measured, without its timing: it is repeated here at every size."""
    return {
        "windows": verdict.n_windows,
        "mean_loss_db": f"{verdict.mean_loss_db:.4f}",
        "worst_loss_db": f"{verdict.worst_loss_db:.4f}",
        "worst_clip": verdict.worst_clip,
        "backend": verdict.backend or "",
        "compared_with": verdict.compared_with or "",
    }


def column(size: Size) -> str:
    """Name the column of a size's speed."""
    height, width = size
    return f"speedup_{width}x{height}"


def origin(case: QuantiserCase) -> Row:
    """Say what measured, with which versions, and when."""
    libraries = [] if case.library == OWN else [case.library]
    told = report.row("", "", "", "", report.Timing(0, 0, 0), ["openvino", *libraries])
    return {"machine": told.machine, "versions": told.versions, "git_sha": told.git_sha, "date": told.date}
