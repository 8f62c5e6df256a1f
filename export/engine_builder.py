"""From a prepared ONNX model to the bytes of an engine: parse with our plugin, configure, build."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import onnx

from cvqe.errors import BackendError, CvqeError, UsageError
from export.build_device import Targets
from export.build_failure import failed_build
from export.build_progress import create_monitor
from export.engine_network import EngineSource
from export.engine_options import BuildConfig
from export.layer_report import network_layers
from plugins.deform_conv.callback_errors import take_error
from plugins.deform_conv.onnx_nodes import with_custom_nodes
from plugins.tensorrt_log import TensorRtLog, tensorrt_log
from plugins.tensorrt_modules import can_override_importers, compute_capabilities
from runtime.tensorrt_engine import load_plugins

log = logging.getLogger(__name__)
_POOLS = {"workspace": "WORKSPACE", "tacticSharedMem": "TACTIC_SHARED_MEMORY"}
_HARDWARE = {"none": "NONE", "ampere+": "AMPERE_PLUS", "sameComputeCapability": "SAME_COMPUTE_CAPABILITY"}
_TILING = ("NONE", "FAST", "MODERATE", "FULL")


@dataclass(frozen=True)
class Built:
    """An engine in memory, the network's layers before they were fused, and the timings to be kept."""

    content: bytes
    layers: tuple[dict[str, Any], ...]
    timing_cache: bytes | None


def build_engine(
    trt: ModuleType,
    library: str,
    source: EngineSource,
    targets: Targets,
    config: BuildConfig,
    timing_cache: bytes | None,
) -> Built:
    """Build one engine, in memory.

    Args:
        trt: the module `tensorrt` or `tensorrt_rtx`.
        library: its name for users.
        timing_cache: timings of earlier builds, b"" for none yet; None: the library has no use for them.

    Raises:
        BackendError: the library refuses the network or the build; what it said, the node and a remedy are told.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    kept = tensorrt_log(trt)
    kept.take_errors()
    take_error()
    if source.n_deform_conv:
        _register_plugin(trt, targets)
    what = f"{library} {trt.__version__} could not build {source.path}"
    builder = trt.Builder(kept.logger)
    load_plugins(builder.get_plugin_registry(), config.all_plugins)
    network = builder.create_network(_network_flags(trt))
    parser = _parse(trt, kept, network, source.model, what)
    layers = tuple(network_layers(network))
    settings = _configured(trt, builder, network, source, targets, config, library)
    cache = _set_timing_cache(settings, timing_cache)
    monitor = settings.progress_monitor = create_monitor(trt)
    content = builder.build_serialized_network(network, settings)
    del parser  # the network reads weights that the parser holds
    if monitor.was_stopped:
        raise KeyboardInterrupt
    _raise_callback_error(what)
    if content is None:
        raise failed_build(what, kept.take_errors())
    for error in kept.take_errors():
        log.warning("built, although %s said: %s", library, error)
    return Built(bytes(content), layers, bytes(cache.serialize()) if cache else None)


def refuse_impossible(library: str, config: BuildConfig) -> None:
    """Refuse what a library is known not to do, before it starts.

    Raises:
        UsageError: it is asked for.
    """
    if library != "tensorrt-rtx":
        return
    if config.version_compatible:
        raise UsageError(
            "TensorRT-RTX builds no engine that other versions run where plugins are in it, and each of its releases "
            "needs engines of its own; leave --versionCompatible away."
        )
    if config.hardware_compatibility_level not in (None, "none"):
        raise UsageError(
            "TensorRT-RTX has no --hardwareCompatibilityLevel; name the GPUs with --computeCapabilities=8.6,8.9, or "
            "leave both away for all from 8.0 on."
        )


def _register_plugin(trt: ModuleType, targets: Targets) -> None:
    from plugins.deform_conv.tensorrt_plugin import register  # compiles with Triton, which other networks do without

    register(trt, targets.compute_capabilities)


def _network_flags(trt: ModuleType) -> int:
    """Strong typing: asked for on 10, and all there is from 11 on."""
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def _parse(trt: ModuleType, kept: TensorRtLog, network: Any, model: onnx.ModelProto, what: str) -> Any:
    parser = trt.OnnxParser(network, kept.logger)
    if can_override_importers(trt):
        parser.set_flag(trt.OnnxParserFlag.ENABLE_PLUGIN_OVERRIDE)
    else:
        model = with_custom_nodes(model)
    is_parsed = parser.parse(model.SerializeToString())
    _raise_callback_error(what)
    if not is_parsed:
        raise failed_build(what, [_parser_error(parser.get_error(i)) for i in range(parser.num_errors)])
    return parser


def _parser_error(error: Any) -> str:
    node = f"node {error.node_name()} ({error.node_operator()}): " if error.node_name() else ""
    return node + str(error.desc())


def _raise_callback_error(what: str) -> None:
    """Raise what our plugin refused, in its own words: TensorRT only reports a code."""
    error = take_error()
    if isinstance(error, CvqeError):
        raise BackendError(f"{what}; nothing was written.\n  our plugin says: {error}") from error
    if error is not None:
        raise error


def _configured(
    trt: ModuleType,
    builder: Any,
    network: Any,
    source: EngineSource,
    targets: Targets,
    config: BuildConfig,
    library: str,
) -> Any:
    settings = builder.create_builder_config()
    for pool, size_bytes in config.memory_pools.items():
        settings.set_memory_pool_limit(getattr(trt.MemoryPoolType, _POOLS[pool]), size_bytes)
    for name, value in _attributes(trt, config).items():
        setattr(settings, name, value)
    if config.version_compatible:
        settings.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if config.no_tf32:
        settings.clear_flag(trt.BuilderFlag.TF32)
    if config.plugins_to_serialize:
        settings.plugins_to_serialize = [str(path) for path in config.plugins_to_serialize]
    if library == "tensorrt-rtx" and not targets.is_portable:
        _name_targets(trt, settings, targets.compute_capabilities)
    _add_profile(builder, network, settings, source)
    return settings


def _attributes(trt: ModuleType, config: BuildConfig) -> dict[str, Any]:
    """Return the settings that are asked for, as attributes of IBuilderConfig."""
    attributes = {
        "builder_optimization_level": config.builder_optimization_level,
        "max_aux_streams": config.max_aux_streams,
        "l2_limit_for_tiling": config.l2_limit_for_tiling,
        "profiling_verbosity": config.profiling_verbosity
        and getattr(trt.ProfilingVerbosity, config.profiling_verbosity.upper()),
        "tiling_optimization_level": None
        if config.tiling_optimization_level is None
        else getattr(trt.TilingOptimizationLevel, _TILING[config.tiling_optimization_level]),
        "hardware_compatibility_level": config.hardware_compatibility_level
        and getattr(trt.HardwareCompatibilityLevel, _HARDWARE[config.hardware_compatibility_level]),
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _name_targets(trt: ModuleType, settings: Any, capabilities: Sequence[int]) -> None:
    # never CURRENT: without a GPU TensorRT-RTX 1.7 damages its heap
    named = compute_capabilities(trt)
    settings.num_compute_capabilities = len(capabilities)
    for place, capability in enumerate(capabilities):
        settings.set_compute_capability(named[capability], place)


def _add_profile(builder: Any, network: Any, settings: Any, source: EngineSource) -> None:
    names = [network.get_input(index).name for index in range(network.num_inputs)]
    free = [name for name in names if not source.profile[name].is_static]
    if not free:
        return
    profile = builder.create_optimization_profile()
    for name in free:
        sizes = source.profile[name]
        profile.set_shape(name, sizes.min, sizes.opt, sizes.max)
    if settings.add_optimization_profile(profile) < 0:
        raise failed_build(f"{source.path} can't take these shapes", ["the optimization profile is refused"])


def _set_timing_cache(settings: Any, content: bytes | None) -> Any:
    if content is None:
        return None
    cache = settings.create_timing_cache(content)
    if cache is None or not settings.set_timing_cache(cache, False):
        log.warning("the timing cache is another GPU's or TensorRT version's; a new one is begun")
        cache = settings.create_timing_cache(b"")
        settings.set_timing_cache(cache, False)
    return cache
