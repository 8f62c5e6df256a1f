"""The way from an exported file to a calibrated one: choose frames, quantise, judge, write.

clips --+--> most of them --> frames drawn --> quantise ---+
        +--> held back -----> frames drawn --------------> gate --> file, and its frames' list beside it
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import onnx

from calibration.frame_choice import ShortageError, choose_frames, read_choices
from calibration.gate import Verdict, judge
from calibration.placement import ROLES
from calibration.quantiser import Prepared, QuantiserOptions, prepare
from calibration.samples import Sample, feeds
from cvqe.errors import ModelError, UsageError
from cvqe.manifest import Manifest
from cvqe.whole_file import refuse_missing_folder, write_whole
from runtime.model_file import ModelFile, load_model_file
from runtime.quantised_file import quantised_path
from training.clip_list import find_clips
from training.evaluation.cases import Case, find_cases

QPS = (22, 27, 32, 37, 42)
HELD_BACK = 5  # of so many clips one is not calibrated on, but judged on


@dataclass(frozen=True)
class CalibrationConfig:
    """What to calibrate, and on what."""

    onnx: Path
    clips: Path
    coded: Path
    to: str = "int8"
    output: Path | None = None
    configurations: Sequence[str] = ("ldp",)
    qps: Sequence[int] | None = None
    only: Sequence[str] = ()
    exclude: Sequence[str] = ()
    n_frames: int = 60
    n_judged: int = 40
    observer: str | None = QuantiserOptions.observer
    recovery: Sequence[str] = QuantiserOptions.recovery
    also: Sequence[str] = ()
    keep: Sequence[str] = ()
    seed: int = 0
    force: bool = False


@dataclass(frozen=True)
class Frames:
    """Windows to calibrate on, and others, of other clips, to judge by."""

    calibrated_on: Sequence[Sample]
    judged_on: Sequence[Sample]


def calibrate(config: CalibrationConfig) -> Iterator[str]:
    """Write one calibrated file; yield what was done, line by line.

    Raises:
        GateError: it does not pay, and that is not forced; nothing was written.
        CvqeError: files or options can't be what they are asked to be.
    """
    source = load_model_file(config.onnx)
    refuse_unfit(source)
    output = config.output or quantised_path(config.onnx, config.to)
    refuse_output(output, config.onnx)
    frames = read_frames(config, source.manifest)
    yield from _chosen(frames)
    prepared = prepare(
        onnx.load_from_string(source.content),
        [feeds(sample, source.manifest) for sample in frames.calibrated_on],
        quantiser_options(config),
    )
    yield from _placed(prepared)
    verdict, model = judged(source, prepared, frames, config)
    yield str(verdict)
    if not config.force:
        verdict.refuse_objections(config.onnx.name)
    yield _written(model, output, frames, verdict)


def quantiser_options(config: CalibrationConfig) -> QuantiserOptions:
    """Return those of the options that the quantiser heeds."""
    also = [ROLES[name] for name in config.also]
    return QuantiserOptions(config.to, config.observer, tuple(config.recovery), also, config.keep, config.seed)


def refuse_unfit(source: ModelFile) -> None:
    """Refuse what can't be calibrated: float32 networks with 8-bit ends that see each window by itself are.

    Raises:
        ModelError: it is another one.
    """
    told = source.manifest
    if told.is_recurrent:
        raise ModelError(
            f"{source.path} hands a state on from frame to frame, and frames drawn singly can't calibrate that; "
            "a network that sees each window by itself was expected. Run it in 16 bits:  --precision auto"
        )
    if (told.precision, told.bit_depth, told.deform_conv) != ("fp32", 8, "standard"):
        raise ModelError(
            f"{source.path} computes in {told.precision} on {told.bit_depth}-bit samples with {told.deform_conv} "
            "DeformConv; fp32, 8-bit samples and standard were expected (for deeper video the ends are exchanged "
            "when it runs). Export it so:  python export/to_onnx.py --checkpoint FILE --output FILE.onnx"
        )


def refuse_output(output: Path, source: Path) -> None:
    """Refuse a place for the new file before anything is computed.

    Raises:
        UsageError: it is the source, is no .onnx file, or its folder is not there.
    """
    if output.resolve() == source.resolve():
        raise UsageError(f"{output} is the network itself; name another --output.")
    if output.suffix != ".onnx":
        raise UsageError(f"--output {output} is no name of a network; give one that ends in .onnx.")
    refuse_missing_folder(output)


def read_frames(config: CalibrationConfig, manifest: Manifest) -> Frames:
    """Draw frames from the clips and read their windows.

    Raises:
        ShortageError: there are fewer than were asked for.
        UsageError: none were asked for, or nothing says of which QPs.
    """
    for option, number in (("--frames", config.n_frames), ("--judged", config.n_judged)):
        if number < 1:
            raise UsageError(f"{option} {number} would measure nothing; give 1 or more.")
    qps = config.qps or [qp for qp in QPS if not manifest.qp or min(manifest.qp) <= qp <= max(manifest.qp)]
    if not qps:
        raise UsageError(f"{config.onnx} was trained on QP {manifest.qp}; say which QPs to read:  --qp 37")
    allowed = {clip.stem for clip in find_clips(config.clips, config.exclude)}
    cases = find_cases(config.clips, config.coded, config.configurations, qps, config.only)
    cases = [case for case in cases if case.clip in allowed]
    kept, held_back = split_clips(cases, config.seed)
    drawn = [
        choose_frames(kept, config.n_frames, config.seed, manifest.reach),
        choose_frames(held_back, config.n_judged, config.seed, manifest.reach, "--judged"),
    ]
    frames = Frames(*(list(read_choices(choices, manifest)) for choices in drawn))
    assert (len(frames.calibrated_on), len(frames.judged_on)) == (config.n_frames, config.n_judged)
    return frames


def split_clips(cases: Sequence[Case], seed: int) -> tuple[list[Case], list[Case]]:
    """Part coded clips into those to calibrate on and those held back, clip by clip.

    Raises:
        ShortageError: there is one clip only.
    """
    clips = sorted({case.clip for case in cases})
    if len(clips) < 2:
        raise ShortageError(
            f"{', '.join(clips) or 'no clip'} is all there is, and a network is judged on clips that it was not "
            "calibrated on; two at least were expected. Add clips."
        )
    held_back = set(Random(seed).sample(clips, -(-len(clips) // HELD_BACK)))
    return [case for case in cases if case.clip not in held_back], [case for case in cases if case.clip in held_back]


def judged(
    source: ModelFile, prepared: Prepared, frames: Frames, config: CalibrationConfig
) -> tuple[Verdict, onnx.ModelProto]:
    """Measure a quantised network, and return it with everything in its metadata."""
    facts = _facts(source, prepared, frames, config)
    before = with_manifest(prepared.quantised(), replace(source.manifest, precision=config.to, calibration=facts))
    verdict = judge(onnx.load_from_string(source.content), before, frames.judged_on)
    forced = config.force and bool(verdict.objections)
    told = {**facts, "forced": forced, "gate": verdict.as_dict()}
    return verdict, with_manifest(before, replace(source.manifest, precision=config.to, calibration=told))


def with_manifest(model: onnx.ModelProto, manifest: Manifest) -> onnx.ModelProto:
    """Return a copy that says this of itself."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    onnx.helper.set_model_props(copy, manifest.to_properties())
    return copy


def rows_of(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Tell every window by clip, coding, frame and checksum."""
    return [
        {
            "clip": sample.clip,
            "configuration": sample.configuration,
            "qp": sample.qp,
            "frame": sample.frame,
            "sha256": hashlib.sha256(sample.window.tobytes()).hexdigest(),
        }
        for sample in samples
    ]


def _facts(source: ModelFile, prepared: Prepared, frames: Frames, config: CalibrationConfig) -> Mapping[str, Any]:
    rows = json.dumps(rows_of(frames.calibrated_on)).encode()
    return {
        "to": config.to,
        "observer": prepared.observer,
        "weights": "symmetric, one scale a channel",
        "n_samples": len(frames.calibrated_on),
        "samples_sha256": hashlib.sha256(rows).hexdigest(),
        "source_sha256": source.sha256,
        "high_precision": list(prepared.placement.high_precision),
        "recovery": list(config.recovery),
        "seed": config.seed,
    }


def _chosen(frames: Frames) -> Iterator[str]:
    for what, samples in (("calibrated on", frames.calibrated_on), ("judged on", frames.judged_on)):
        clips, qps = {sample.clip for sample in samples}, sorted({sample.qp for sample in samples})
        yield f"{what} {len(samples)} frames of {len(clips)} clips at QP {' '.join(map(str, qps))}"


def _placed(prepared: Prepared) -> Iterator[str]:
    placement = prepared.placement
    yield f"{len(placement.quantised)} convolutions rounded, {len(placement.high_precision)} not:"
    for reason in dict.fromkeys(placement.high_precision.values()):
        own = [name for name, its in placement.high_precision.items() if its == reason]
        yield f"  {', '.join(own)}: {reason}"


def _written(model: onnx.ModelProto, output: Path, frames: Frames, verdict: Verdict) -> str:
    content = model.SerializeToString()
    report = {"calibrated_on": rows_of(frames.calibrated_on), "judged_on": rows_of(frames.judged_on)}
    listed = output.with_name(f"{output.stem}_frames.json")
    write_whole(listed, (json.dumps({**report, "gate": verdict.as_dict()}, indent=1) + "\n").encode())
    write_whole(output, content)
    return f"{output}: {len(content) / 1e6:.2f} MB; its frames: {listed}"
