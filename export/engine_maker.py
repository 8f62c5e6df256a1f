"""The way from a request to an engine on disk: found where it is there already, built where it is not.

ONNX -> prepare -> key -> lock -> found? -> build -> engine + manifest -> unlock
"""

import hashlib
import logging
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from cvqe import __version__
from cvqe.engine_manifest import EngineManifest, capability_text
from cvqe.errors import CvqeError
from cvqe.file_lock import locked
from export.build_device import BuildDevice, Targets, choose_targets, driver_version, find_device
from export.engine_builder import Built, build_engine, refuse_impossible
from export.engine_cache import find_built, publish, request_key
from export.engine_network import EngineSource, load_engine_source
from export.engine_options import EngineOptions
from export.engine_profile import size_text
from export.library_choice import choose_library, is_installed
from export.plugin_code import plugin_sha256
from export.timing_cache import load_timing_cache, save_timing_cache
from plugins.tensorrt_modules import compute_capabilities, load_tensorrt, tensorrt_version
from runtime.engine_file import EngineFile

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """An engine on disk and how it came there; `layers` of the network are known where it was built now."""

    engine: EngineFile
    was_built: bool
    seconds: float
    layers: tuple[dict[str, Any], ...]

    def __str__(self) -> str:
        told = self.engine.manifest
        names = ", ".join(map(capability_text, told.compute_capabilities)) + (" and newer" if told.is_portable else "")
        fused = f" ({told.n_fused} with their masks' sigmoid)" if told.n_fused else ""
        facts = (
            f"{told.network.network} in {told.precision}",
            f"{told.library} {told.library_version} for {names}",
            f"window {told.window}",
            f"plugin {told.plugin_sha256[:12]}{fused}" if told.plugin_sha256 else "no plugin",
            f"{told.engine_bytes / 1e6:.2f} MB",
            f"built in {self.seconds:.1f} s" if self.was_built else "found, checksum verified, not built again",
        )
        return f"{self.engine.path}: {', '.join(facts)}"


@dataclass(frozen=True)
class _Request:
    """All that decides about an engine's bytes."""

    library: str
    trt: ModuleType
    device: BuildDevice
    source: EngineSource
    targets: Targets
    options: EngineOptions

    def facts(self) -> dict[str, Any]:
        """Return the request as plain values. TensorRT times on the GPU and driver it finds; TensorRT-RTX asks none."""
        is_timed = self.library == "tensorrt"
        return {
            "onnx_sha256": self.source.onnx_sha256,
            "plugin_sha256": self.plugin,
            "library": self.library,
            "library_version": tensorrt_version(self.trt),
            "device": self.device.device.name if is_timed and self.device.device else None,
            "driver": [self.device.cuda_version, driver_version()] if is_timed else None,
            "compute_capabilities": self.targets.compute_capabilities,
            "is_portable": self.targets.is_portable,
            "build": self.options.build.as_flags(),
            "own_plugins": [file_sha256(each) for each in self.options.build.all_plugins],
            "bit_depth": self.source.network.bit_depth,
            "profile": {name: [sizes.min, sizes.opt, sizes.max] for name, sizes in self.source.profile.items()},
            "version": __version__,
        }

    @property
    def plugin(self) -> str | None:
        """Identity of our plugin, where the network needs it."""
        return plugin_sha256() if self.source.n_deform_conv else None


def make_engine(onnx: Path, options: EngineOptions) -> Made:
    """Return the engine that a command line asks for, from disk or built now.

    Of several processes that ask for the same file one builds, the others wait and take what it made.

    Raises:
        UsageError: the request contradicts itself, the file or the library.
        BackendError: the library is not here, finds no GPU it needs, or refuses the network.
        ModelError: the ONNX file is damaged or none of ours.
    """
    request = _request_of(onnx, options)
    key = request_key(request.facts())
    path = options.save_engine or _prepared(options.engines) / _default_name(request, key)
    with locked(path):
        engine, reason = find_built(path, key)
        if engine and not options.force:
            return Made(engine, False, 0.0, ())
        if reason:
            log.info("%s; it is built anew", reason)
        return _build(request, path, key)


def _request_of(onnx: Path, options: EngineOptions) -> _Request:
    device = find_device()
    library = choose_library(options.library, device.device is not None, is_installed)
    refuse_impossible(library, options.build)
    trt = load_tensorrt(library)
    named, compatibility = compute_capabilities(trt), options.build.hardware_compatibility_level
    targets = choose_targets(library, options.compute_capabilities, device.device, named, compatibility)
    return _Request(library, trt, device, load_engine_source(onnx, options), targets, options)


def _build(request: _Request, path: Path, key: str) -> Made:
    log.info("building %s for %s with %s", path, request.targets, request.library)
    cache = _timing_cache_of(request)
    timings = load_timing_cache(cache) if cache else None
    start = time.perf_counter()
    built = build_engine(request.trt, request.library, request.source, request.targets, request.options.build, timings)
    seconds = time.perf_counter() - start
    engine = publish(path, built.content, _manifest_of(request, path, key, built))
    if cache and built.timing_cache is not None:
        save_timing_cache(cache, built.timing_cache)
    return Made(engine, True, seconds, built.layers)


def _timing_cache_of(request: _Request) -> Path | None:
    """Return where timings are kept, None for TensorRT-RTX, whose calls for it do nothing."""
    asked = request.options.timing_cache
    if request.library == "tensorrt":
        return asked or _prepared(request.options.engines) / "timing.cache"
    if asked:
        log.warning("--timingCacheFile is not used: TensorRT-RTX chooses its kernels where the engine runs")
    return None


def _manifest_of(request: _Request, path: Path, key: str, built: Built) -> EngineManifest:
    return EngineManifest(
        engine_sha256=hashlib.sha256(built.content).hexdigest(),
        engine_bytes=len(built.content),
        key=key,
        onnx=_seen_from(path.parent, request.source.path),
        onnx_sha256=request.source.onnx_sha256,
        plugin_sha256=request.plugin,
        library=request.library,
        library_version=tensorrt_version(request.trt),
        cuda_version=request.device.cuda_version,
        driver_version=driver_version(),
        compute_capabilities=request.targets.compute_capabilities,
        is_portable=request.targets.is_portable,
        device=request.device.device.name if request.library == "tensorrt" and request.device.device else None,
        build=request.options.build.as_flags(),
        profile=request.source.profile,
        n_fused=request.source.n_fused,
        network=request.source.network,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
    )


def file_sha256(path: Path) -> str | None:
    """Return a file's checksum, None where it is not there: the builder will say so."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _seen_from(folder: Path, file: Path) -> str:
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return file.resolve().as_posix()


def _prepared(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CvqeError(
            f"{folder} can't be made ({error.strerror}); choose another place:  --engines=FOLDER"
        ) from error
    return folder


def _default_name(request: _Request, key: str) -> str:
    gpus = (
        "portable"
        if request.targets.is_portable
        else "+".join(f"sm{each}" for each in request.targets.compute_capabilities)
    )
    size = size_text(request.source.profile)
    return f"{request.source.path.stem}_{size}_{request.library}_{gpus}_{key[:8]}.engine"
