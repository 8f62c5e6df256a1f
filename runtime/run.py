"""One run of the runtime: a file in, an enhanced file and its summary out."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvqe.errors import ExitCode
from runtime.decoder import Source, open_source
from runtime.encoder import Sink, open_sink
from runtime.encoder_settings import EncoderOptions
from runtime.engine import Choice, EngineRequest, open_engine
from runtime.frame_inputs import FrameInputs
from runtime.machine import peak_memory_mb
from runtime.meter import Meter, written_gains
from runtime.model_choice import versions_named
from runtime.model_file import DEFAULT_MODEL, ModelFile, nearest_version
from runtime.output_path import check_output, default_output
from runtime.pipeline import Pipeline, Progress
from runtime.slots import RingLayout
from runtime.summary import Summary
from runtime.untrained_qp import qp_span

log = logging.getLogger(__name__)
# Ctrl-C, a service manager's stop, a terminal that closes
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
NEAR_QP = 3
ProgressHook = Callable[[Progress, Source], None]


@dataclass(frozen=True)
class StreamConfig:
    """What to enhance, with what, into what."""

    source: Path
    output: Path | None = None
    model: str = DEFAULT_MODEL
    backend: str = "auto"
    precision: str = "auto"
    qp: int | None = None  # None: what the bitstream tells, frame by frame
    encoder: str | None = None
    crf: float | None = None
    encoder_qp: int | None = None
    preset: str | None = None
    threads: int = 0
    frames: int | None = None
    ahead: int = 1
    reference: Path | None = None
    overwrite: bool = False
    scene_cuts: bool = True
    split: bool = False
    strict: bool = False
    allow_partial: bool = False


def stream(config: StreamConfig, on_start: Callable[[Summary], None], on_progress: ProgressHook) -> Summary:
    """Enhance one file.

    A first Ctrl-C ends the decoding: what is under way is finished and kept as OUT.partial.<ext>. A second one stops.

    Raises:
        CvqeError: anything the user can mend, said in one sentence; nothing is left under the output's name.
    """
    output = config.output or default_output(config.source)
    check_output(config.source, output, config.overwrite, config.reference)
    with ExitStack() as stack:
        versions = versions_named(config.model)
        with_partitions = any(version.manifest.takes_guide for version in versions)
        source = stack.enter_context(
            open_source(config.source, config.threads, config.frames, with_partitions, config.strict)
        )
        model, choice = _choose(config, source, versions)
        del versions  # a large network's are hundreds of megabytes
        meter = _open_meter(config, source)
        if meter:
            stack.callback(meter.close)
        options = EncoderOptions(config.encoder, config.crf, config.encoder_qp, config.preset, config.threads)
        sink = stack.enter_context(open_sink(output, source, options))
        manifest, inputs = model.manifest, FrameInputs(model.manifest, source, config.qp)
        layout = RingLayout(manifest.radius, config.ahead, manifest.neighbors)
        by_scene = config.scene_cuts and manifest.radius > 0
        pipeline = Pipeline(
            source, choice.engine, sink, layout, meter, inputs.qp_of, inputs.guide_of, by_scene, config.split
        )
        summary = _summary(config, model, choice, sink, output)
        on_start(summary)
        _run(pipeline, sink, summary, lambda progress: on_progress(progress, source))
        inputs.tell(summary)
        if meter:
            summary.gains_network = meter.gains
    if config.reference and not (config.split or summary.is_interrupted) and summary.frames_out:
        summary.gains_written = written_gains(config.reference, config.source, output, config.frames)
    return summary


def _choose(config: StreamConfig, source: Source, versions: Sequence[ModelFile]) -> tuple[ModelFile, Choice]:
    """Pick the network by the QP of the first frames, then the engine by what is installed."""
    info = source.info
    qp = config.qp if config.qp is not None else source.qp
    model = nearest_version(versions, None if qp is None else round(qp))
    request = EngineRequest(model, info.height, info.width, info.bit_depth, config.precision, config.threads)
    _warn_of_other_qp(model, qp)
    return model, open_engine(request, config.backend)


def _warn_of_other_qp(model: ModelFile, qp: float | None) -> None:
    trained = model.manifest.qp
    # a network of one QP serves those around it: the next one's is five away
    margin = NEAR_QP if len(set(trained)) == 1 else 0
    if qp is not None and trained and not min(trained) - margin <= qp <= max(trained) + margin:
        log.warning(
            "%s is meant for QP %s, the input is at QP %.0f: it may gain less, or lose",
            model.path.name,
            qp_span(trained),
            qp,
        )


def _open_meter(config: StreamConfig, source: Source) -> Meter | None:
    if config.reference is None:
        return None
    info = source.info
    return Meter(config.reference, info.width, info.height, info.bit_depth)


def _summary(config: StreamConfig, model: ModelFile, choice: Choice, sink: Sink, output: Path) -> Summary:
    return Summary(
        source=str(config.source),
        output=str(output),
        encoder=sink.encoder,
        model=model.path.stem,
        backend=choice.engine.backend,
        precision=choice.engine.precision,
        reason=choice.reason,
        allows_partial=config.allow_partial,
    )


def _run(pipeline: Pipeline, sink: Sink, summary: Summary, on_progress: Callable[[Progress], None]) -> None:
    """Run the stages and finish the file, whole or in part."""
    start = time.perf_counter()
    with _interruptible(pipeline, sink):
        progress = pipeline.run(on_progress)
        summary.is_interrupted = pipeline.wants_end.is_set()
        with pipeline.busy("encode"):
            summary.output = _finish(sink, summary.is_interrupted)
    summary.elapsed_s = time.perf_counter() - start
    summary.frames_in, summary.frames_out = progress.n_decoded, sink.n_frames
    summary.frames_fallen_back, summary.busy_s = progress.n_fallen_back, progress.busy_s
    summary.scene_cuts = progress.n_scene_cuts
    summary.peak_memory_mb = peak_memory_mb()
    source = pipeline.source
    summary.frames_damaged, summary.timestamps_repaired = source.n_damaged, source.n_repaired
    summary.truncated = source.truncated_note
    summary.notes = [*source.notes, *sink.notes, *_notes(pipeline)]


def _notes(pipeline: Pipeline) -> Iterator[str]:
    if pipeline.source.info.is_interlaced:
        yield "the input is interlaced and was enhanced as if it were progressive: fast motion may gain less, or lose"
    if pipeline.meter and pipeline.meter.note:
        yield pipeline.meter.note


def _finish(sink: Sink, is_interrupted: bool) -> str | None:
    """Write the end of the file; returns what it is called then, None if nothing was kept."""
    if not is_interrupted:
        return str(sink.close())
    kept = sink.finish_partial()
    return str(kept) if kept else None


@contextmanager
def _interruptible(pipeline: Pipeline, sink: Sink) -> Iterator[None]:
    """Make the first signal end the decoding, a second Ctrl-C everything; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: Any) -> None:
        if pipeline.wants_end.is_set():
            pipeline.stages.stop(KeyboardInterrupt())
        else:
            log.warning("finishing what is under way; Ctrl-C again stops at once and keeps nothing")
        pipeline.wants_end.set()

    previous = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        if pipeline.stages.is_stuck():  # inside a read that may never return: no destructor may wait for it
            sink.discard()
            log.warning("stopped; nothing was kept")
            os._exit(ExitCode.INTERRUPTED)
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
