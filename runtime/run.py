"""One run of the runtime: a video in, an enhanced one and its summary out."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from av.video.stream import VideoStream

from cvqe.errors import CvqeError, UsageError
from runtime.connection import StreamCheck
from runtime.decoder import Source, open_source
from runtime.destination import Destination, FileDestination, LiveDestination
from runtime.destination_address import DestinationAddress, destination_address
from runtime.dolby_vision import check_colors
from runtime.encoder import Sink, open_sink
from runtime.engine import Choice
from runtime.frame_inputs import FrameInputs
from runtime.interrupts import interruptible
from runtime.latency import Latency
from runtime.machine import peak_memory_mb
from runtime.memory_need import PlannedRun, check_memory, stated_video
from runtime.meter import Meter, written_gains
from runtime.model_choice import versions_named
from runtime.model_file import ModelFile
from runtime.network_choice import choose_network, takes_guide
from runtime.output_path import check_free, check_output, default_output
from runtime.pipeline import Pipeline, Progress
from runtime.resume_record import Resuming
from runtime.run_identity import run_identity
from runtime.slots import RingLayout
from runtime.source_address import SourceAddress, source_address
from runtime.stream_config import StreamConfig
from runtime.summary import Summary

# over frames, besides network and encoder
DECISIVE_OPTIONS = ("qp", "frames", "scene_cuts", "split", "input_format", "input_options")
ProgressHook = Callable[[Progress, Source], None]


def stream(config: StreamConfig, on_start: Callable[[Summary], None], on_progress: ProgressHook) -> Summary:
    """Enhance one video.

    A first Ctrl-C ends the decoding: what is under way is finished and kept as OUT.partial.<ext>. A second one stops.
    What a run has done that was stopped, killed or failed is kept beside the output in whole segments.

    Raises:
        CvqeError: anything the user can mend, said in one sentence; nothing is left under the output's name.
    """
    address = source_address(config.source, config.input_format)
    place = _approved_place(config, address)
    with ExitStack() as stack:
        source = stack.enter_context(_opened_source(config))
        model, choice = choose_network(config, source)
        meter = _open_meter(config, source)
        if meter:
            stack.callback(meter.close)
        destination = _destination(config, place, address, model, choice)
        stack.enter_context(_telling_what_is_kept(destination))
        is_live = place.path is None
        sink = stack.enter_context(open_sink(destination, source, config.encoder_options(is_live)))
        inputs = FrameInputs(model.manifest, source, config.qp)
        pipeline = _pipeline(config, source, model, choice, sink, meter, inputs)
        summary = _summary(config, source, model, choice, sink, destination)
        on_start(summary)
        _run(pipeline, sink, summary, lambda progress: on_progress(progress, source))
        inputs.tell(summary)
        if meter:
            summary.gains_network = meter.gains
    try:
        _measure_written(config, summary)
    except (CvqeError, KeyboardInterrupt) as error:  # the file is whole, whatever comes of measuring it
        summary.notes.append(f"the written file was not measured ({error or 'stopped'})")
    return summary


def _approved_place(config: StreamConfig, source: SourceAddress) -> DestinationAddress:
    """Say where the output goes, once nothing is in its way."""
    if config.output is None and source.path is None:
        raise UsageError(f"{source.text} is no file to name the output after; say where it goes:  -o out.mkv")
    if config.reference and source.path is None:
        raise UsageError(f"{source.text} is no file that a reference could be laid beside; leave --reference out")
    given = default_output(source.path) if config.output is None and source.path else config.output
    assert given is not None
    place = destination_address(given, config.format)
    if config.resume and not (place.path and source.path and config.segment):
        raise UsageError("only from a file to a file, in segments, can a run go on; leave --resume out")
    if place.path:
        check_output(source.path, place.path, config.overwrite, config.reference, config.resume)
    else:
        check_free(place.written, (source.path, config.reference), config.overwrite)
    return place


def _opened_source(config: StreamConfig) -> Source:
    versions = versions_named(config.model, config.precision)
    source = open_source(
        config.source,
        config.threads,
        config.frames,
        takes_guide(versions),
        config.strict,
        config.live_input,
        _memory_check(config, versions[0]) if config.memory_check else None,
    )
    try:
        check_colors(source.address.text, source.info.dolby_vision)
    except BaseException:
        source.close()
        raise
    return source


def _memory_check(config: StreamConfig, model: ModelFile) -> StreamCheck:
    """Return what refuses a stream before it is decoded, if it is too large; sizes of a network differ little by QP."""

    def check(stream: VideoStream) -> None:
        video = stated_video(stream)
        if video:
            options = (config.backend, config.precision, config.encoder, config.ahead, config.threads)
            check_memory(source_address(config.source).name, PlannedRun(video, model, *options))

    return check


def _destination(
    config: StreamConfig, place: DestinationAddress, source: SourceAddress, model: ModelFile, choice: Choice
) -> Destination:
    if place.path is None:
        return LiveDestination(place, dict(config.output_options))
    resuming = _resuming(config, source.path, model, choice) if source.path and config.segment else None
    return FileDestination(place.path, config.overwrite, resuming, dict(config.output_options))


def _resuming(config: StreamConfig, source: Path, model: ModelFile, choice: Choice) -> Resuming:
    """Say what the run is to one that goes on with it."""
    options = {name: getattr(config, name) for name in DECISIVE_OPTIONS}
    identity = run_identity(source, model, choice.engine, options)
    return Resuming(identity, config.resume, config.overwrite, config.segment)


@contextmanager
def _telling_what_is_kept(destination: Destination) -> Iterator[None]:
    """Add to what ends the run how to go on; entered before the sink is opened, left after it was closed."""
    try:
        yield
    except BaseException as error:
        if destination.kept:
            error.add_note(destination.kept)
        raise


def _open_meter(config: StreamConfig, source: Source) -> Meter | None:
    if config.reference is None:
        return None
    info = source.info
    return Meter(config.reference, info.width, info.height, info.bit_depth)


def _pipeline(
    config: StreamConfig,
    source: Source,
    model: ModelFile,
    choice: Choice,
    sink: Sink,
    meter: Meter | None,
    inputs: FrameInputs,
) -> Pipeline:
    layout = RingLayout(model.manifest.radius, config.ahead, model.manifest.neighbors)
    is_recurrent = model.manifest.is_recurrent
    by_scene = config.scene_cuts and (model.manifest.radius > 0 or is_recurrent)
    budget_s = None if config.latency_ms is None else config.latency_ms / 1000
    latency = Latency(budget_s, is_paced=config.is_realtime and not source.is_live, is_live=source.is_live)
    return Pipeline(
        source,
        choice.engine,
        sink,
        layout,
        meter,
        inputs.qp_of,
        inputs.guide_of,
        by_scene,
        config.split,
        latency,
        is_recurrent,
    )


def _summary(
    config: StreamConfig, source: Source, model: ModelFile, choice: Choice, sink: Sink, destination: Destination
) -> Summary:
    return Summary(
        source=source.address.text,
        output=destination.name,
        encoder=sink.encoder,
        model=model.path.stem,
        backend=choice.engine.backend,
        precision=choice.engine.precision,
        reason=choice.reason,
        allows_partial=config.allow_partial,
        forced_past=model.manifest.forced_past,
    )


def _run(pipeline: Pipeline, sink: Sink, summary: Summary, on_progress: Callable[[Progress], None]) -> None:
    """Run the stages and finish the output, whole or in part."""
    start = time.perf_counter()
    with interruptible(pipeline, sink.abandon):
        progress = pipeline.run(on_progress)
        summary.is_interrupted = pipeline.wants_end.is_set()
        with pipeline.busy("encode"):
            summary.output = sink.finish_partial() if summary.is_interrupted else sink.close()
    summary.elapsed_s = time.perf_counter() - start
    summary.peak_memory_mb = peak_memory_mb()
    summary.busy_s, summary.scene_cuts = progress.busy_s, progress.n_scene_cuts
    _tell_of_source(pipeline.source, summary)
    _tell_of_sink(sink, summary)
    _tell_of_frames(pipeline, sink, summary)
    summary.notes = [*pipeline.source.notes, *sink.notes, *_notes(pipeline)]


def _tell_of_source(source: Source, summary: Summary) -> None:
    summary.frames_damaged, summary.timestamps_repaired = source.n_damaged, source.n_repaired
    summary.leading_lost, summary.reconnects = source.n_leading_lost, source.n_reconnects
    summary.truncated = source.truncated_note


def _tell_of_sink(sink: Sink, summary: Summary) -> None:
    summary.frames_resumed, summary.kept = min(sink.n_found, sink.n_frames), sink.kept
    summary.streams_left_out = sink.streams_left_out


def _tell_of_frames(pipeline: Pipeline, sink: Sink, summary: Summary) -> None:
    progress, latency = pipeline.progress, pipeline.latency
    summary.frames_in, summary.frames_out = progress.n_decoded, sink.n_frames
    summary.frames_fallen_back = progress.n_fallen_back + sink.n_found_fallen_back
    summary.frames_skipped = latency.n_skipped
    if pipeline.source.is_live or latency.has_budget:
        summary.latency = latency.ages.as_dict()


def _notes(pipeline: Pipeline) -> Iterator[str]:
    if pipeline.source.info.is_interlaced:
        yield "the input is interlaced: its fields were enhanced apart"
    if pipeline.source.info.is_field_sequence:
        yield "the input's pictures are single fields, of both parities in turn; beside each other they gain less"
    if pipeline.meter and pipeline.meter.note:
        yield pipeline.meter.note


def _measure_written(config: StreamConfig, summary: Summary) -> None:
    """Measure the finished file, where there is one and a reference to measure it by."""
    is_whole = summary.frames_out and summary.output and not summary.is_interrupted
    if config.reference and is_whole and not config.split and Path(str(config.source)).is_file():
        written = Path(str(summary.output))
        if written.is_file():
            summary.gains_written = written_gains(config.reference, Path(config.source), written, config.frames)
