"""What build_engine.py does with its options: build or load, report, time, and write what was asked for."""

import json
import logging
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cvqe.errors import BackendError, CvqeError, UsageError
from export.build_device import find_device
from export.engine_maker import Made, make_engine
from export.engine_options import EngineOptions
from export.engine_timing import Timed, time_engine
from export.layer_report import layer_table
from export.timing_statistics import profile_rows, times_to_json
from runtime.cuda.driver import Cuda, open_cuda
from runtime.engine_file import EngineFile, load_engine_file
from runtime.engine_fit import runs_on

log = logging.getLogger(__name__)


def carry_out(options: EngineOptions) -> Iterator[str]:
    """Yield the results, line by line, as they come.

    Raises:
        CvqeError: the request contradicts itself, or can't be carried out.
    """
    if (options.onnx is None) == (options.load_engine is None):
        raise UsageError("give what to build (--onnx=m.onnx) or what to time (--loadEngine=m.engine), one of them.")
    _check_outputs(options)
    if options.load_engine is not None:
        yield from _load(options, options.load_engine)
    elif options.onnx is not None:
        yield from _build(options, options.onnx)


def _build(options: EngineOptions, onnx: Path) -> Iterator[str]:
    _check_save_engine(options.save_engine)
    made = make_engine(onnx, options)
    yield str(made)
    why_not = "--skipInference" if options.skip_inference else _why_untimed(made.engine)
    if why_not is None:
        yield from _time(options, made.engine)
        return
    _tell_untimed(options, why_not)
    if options.report.wants_layers:
        yield from _network_layers(options, made)


def _load(options: EngineOptions, path: Path) -> Iterator[str]:
    engine = load_engine_file(path)
    yield f"{path}: window {engine.manifest.window}, sha256 {engine.manifest.engine_sha256[:12]} verified"
    if options.skip_inference:
        _tell_untimed(options, "--skipInference")
        if options.report.wants_layers:
            raise UsageError("an engine's layers are told where it is loaded onto a GPU; leave --skipInference away.")
        return
    _check_plugins(options, engine)
    yield from _time(options, engine)


def _tell_untimed(options: EngineOptions, why_not: str) -> None:
    log.info("not timed: %s", why_not)
    if options.report.wants_profile or options.timing.export_times:
        raise BackendError(f"times were asked for, but nothing was timed: {why_not}")


def _check_plugins(options: EngineOptions, engine: EngineFile) -> None:
    """Refuse an engine that needs plugins of the user's own which were not named; a manifest alone loads none."""
    told = engine.manifest.build
    needed, inside = (str(told.get(flag) or "") for flag in ("dynamicPlugins", "setPluginsToSerialize"))
    missing = set(needed.split(",")) - set(inside.split(",")) - {""}
    if missing and not options.build.plugins:
        raise UsageError(
            f"{engine.path} was built with plugins of your own; name their libraries again:  "
            f"{shlex.quote('--dynamicPlugins=' + ','.join(sorted(missing)))}"
        )


def _open_cuda(engine: EngineFile) -> Cuda:
    try:
        return open_cuda()
    except BackendError as error:
        path = shlex.quote(str(engine.path))
        raise BackendError(
            f"{error}\nTime the engine where a GPU is:  python export/build_engine.py --loadEngine={path}\n"
            f"or check it only:  python export/build_engine.py --loadEngine={path} --skipInference"
        ) from error


def _time(options: EngineOptions, engine: EngineFile) -> Iterator[str]:
    cuda = _open_cuda(engine)
    try:
        timed = time_engine(
            engine,
            cuda,
            dict(options.shapes.shapes),
            options.timing,
            options.report.wants_profile,
            options.report.wants_layers,
            [each for each in options.build.plugins if each not in options.build.plugins_to_serialize],
        )
    finally:
        cuda.close()
    yield str(timed.report)
    yield from _write_timed(options, timed)


def _write_timed(options: EngineOptions, timed: Timed) -> Iterator[str]:
    if options.timing.export_times:
        yield _write(options.timing.export_times, times_to_json(timed.times))
    rows = profile_rows(timed.profile, len(timed.profile[0].times_ms) if timed.profile else 0)
    if options.report.dump_profile:
        for row in rows[1:]:
            yield f"{row['medianMs']:9.4f} ms  {row['percentage']:5.1f} %  {row['name']}"
    if options.report.export_profile:
        yield _write(options.report.export_profile, _json(rows))
    if options.report.dump_layer_info:
        yield _json(timed.layers)
    if options.report.export_layer_info:
        yield _write(options.report.export_layer_info, _json(timed.layers))


def _network_layers(options: EngineOptions, made: Made) -> Iterator[str]:
    """Tell the layers before they are fused: the engine itself is opened on a GPU only."""
    log.info("the engine's own layers are told where a GPU is; these are the network's, before they are fused")
    if not made.was_built:
        raise UsageError("the engine was not built again, so its network was not read; add --force to see its layers.")
    if options.report.dump_layer_info:
        yield layer_table(made.layers)
    if options.report.export_layer_info:
        yield _write(options.report.export_layer_info, _json({"network_layers": made.layers}))


def _why_untimed(engine: EngineFile) -> str | None:
    """Say why an engine can't be timed here, None where it can."""
    found = find_device()
    if found.device is None:
        log.debug("%s", found.reason)
        return f"no GPU is here; on one, type  python export/build_engine.py --loadEngine={engine.path}"
    if not runs_on(engine.manifest, found.device.compute_capability):
        return f"the engine is not for this GPU ({found.device.name})"
    return None


def _check_save_engine(path: Path | None) -> None:
    """Refuse a name that --saveEngine can't write to, before any work."""
    if path is None:
        return
    if path.is_dir() or path.suffix != ".engine":
        raise UsageError(f"--saveEngine={path} names no engine file; end it in .engine, as in  --saveEngine=m.engine")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path.parent} is no folder. Make it:  mkdir -p {path.parent}")


def _check_outputs(options: EngineOptions) -> None:
    for path in (options.timing.export_times, options.report.export_layer_info, options.report.export_profile):
        if path is not None and not path.absolute().parent.is_dir():
            raise UsageError(f"{path.parent} is no folder to write {path.name} into. Make it:  mkdir -p {path.parent}")


def _write(path: Path, text: str) -> str:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CvqeError(f"{path} can't be written ({error.strerror}); choose another place.") from error
    return f"wrote {path}"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
