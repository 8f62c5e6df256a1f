"""What build_engine.py is asked for: the options with their defaults, by what they decide."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cvqe.engine_manifest import Shape
from cvqe.errors import UsageError
from runtime.engine_file import ENGINES


@dataclass(frozen=True)
class BuildConfig:
    """How the library is to build; None leaves its own default.

    Attributes:
        memory_pools: bytes a pool may take, by trtexec's names: workspace, tacticSharedMem.
        l2_limit_for_tiling: bytes.
        plugins: libraries with plugins of the user's own, loaded before parsing.
        plugins_to_serialize: those of them that go into the engine.
        fused_masks: fold the sigmoid of a DeformConv's mask into our kernel.
    """

    memory_pools: Mapping[str, int] = field(default_factory=dict)
    builder_optimization_level: int | None = None
    profiling_verbosity: str | None = None
    tiling_optimization_level: int | None = None
    l2_limit_for_tiling: int | None = None
    hardware_compatibility_level: str | None = None
    max_aux_streams: int | None = None
    version_compatible: bool = False
    no_tf32: bool = False
    plugins: tuple[Path, ...] = ()
    plugins_to_serialize: tuple[Path, ...] = ()
    fused_masks: bool = True

    @property
    def all_plugins(self) -> tuple[Path, ...]:
        """Every library of the user's own, each once."""
        return tuple(dict.fromkeys([*self.plugins, *self.plugins_to_serialize]))

    def as_flags(self) -> dict[str, str | int | bool | None]:
        """Return every setting as the flag that asks for it, in the spelling of the command line."""
        pools = ",".join(f"{name}:{size}B" for name, size in sorted(self.memory_pools.items()))
        return {
            "memPoolSize": pools or None,
            "builderOptimizationLevel": self.builder_optimization_level,
            "profilingVerbosity": self.profiling_verbosity,
            "tilingOptimizationLevel": self.tiling_optimization_level,
            "l2LimitForTiling": self.l2_limit_for_tiling,
            "hardwareCompatibilityLevel": self.hardware_compatibility_level,
            "maxAuxStreams": self.max_aux_streams,
            "versionCompatible": self.version_compatible,
            "noTF32": self.no_tf32,
            "dynamicPlugins": ",".join(map(str, self.plugins)) or None,
            "setPluginsToSerialize": ",".join(map(str, self.plugins_to_serialize)) or None,
            "noFusedMasks": not self.fused_masks,
        }


@dataclass(frozen=True)
class ShapeOptions:
    """Shapes as the command line gives them, input by input; those left out are found in export/engine_profile.py."""

    min_shapes: Mapping[str, Shape] = field(default_factory=dict)
    opt_shapes: Mapping[str, Shape] = field(default_factory=dict)
    max_shapes: Mapping[str, Shape] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)


@dataclass(frozen=True)
class TimingOptions:
    """How long to time, with trtexec's defaults: at least `iterations` and `duration_s`, after `warm_up_ms`."""

    iterations: int = 10
    warm_up_ms: float = 200.0
    duration_s: float = 3.0
    use_cuda_graph: bool = False
    export_times: Path | None = None


@dataclass(frozen=True)
class ReportOptions:
    """What to say of layers: of their shapes and types, and of the time each takes."""

    dump_layer_info: bool = False
    export_layer_info: Path | None = None
    dump_profile: bool = False
    export_profile: Path | None = None

    @property
    def wants_layers(self) -> bool:
        """Layer information is asked for."""
        return self.dump_layer_info or self.export_layer_info is not None

    @property
    def wants_profile(self) -> bool:
        """Time of each layer is asked for."""
        return self.dump_profile or self.export_profile is not None


@dataclass(frozen=True)
class EngineOptions:
    """What build_engine.py does: build `onnx`, or time `load_engine`.

    Attributes:
        save_engine: where the engine goes; None: into `engines` under a name that says what it is for.
        library: tensorrt, tensorrt-rtx, or auto: tensorrt where it and a GPU are.
        compute_capabilities: GPUs to build for, 89 for 8.9; (): the one here, or where none is all from 8.0 on.
        bit_depth: 8 or 16 bits a stored sample; None: the file's.
        timing_cache: TensorRT's timings, kept between builds; None: timing.cache in `engines`.
        force: build even where the same engine is there.
    """

    onnx: Path | None = None
    save_engine: Path | None = None
    load_engine: Path | None = None
    engines: Path = ENGINES
    library: str = "auto"
    compute_capabilities: tuple[int, ...] = ()
    bit_depth: int | None = None
    timing_cache: Path | None = None
    force: bool = False
    skip_inference: bool = False
    verbose: bool = False
    shapes: ShapeOptions = field(default_factory=ShapeOptions)
    build: BuildConfig = field(default_factory=BuildConfig)
    timing: TimingOptions = field(default_factory=TimingOptions)
    report: ReportOptions = field(default_factory=ReportOptions)


GROUPS = {"shapes": ShapeOptions, "build": BuildConfig, "timing": TimingOptions, "report": ReportOptions}


def options_from_flags(given: Mapping[str, Any]) -> EngineOptions:
    """Sort options by the group that has a field of their name; those of no group are EngineOptions' own.

    Raises:
        UsageError: a number is out of its range.
    """
    _check_ranges(given)
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    groups = {
        name: kind(**{each.name: given[each.name] for each in fields(kind) if each.name in given})
        for name, kind in GROUPS.items()
    }
    own = {
        each.name: given[each.name] for each in fields(EngineOptions) if each.name in given and each.name not in GROUPS
    }
    return EngineOptions(**own, **groups)


def _check_ranges(given: Mapping[str, Any]) -> None:
    lowest = {"iterations": 1, "warm_up_ms": 0, "duration_s": 0, "max_aux_streams": 0}
    spelled = {"warm_up_ms": "warmUp", "duration_s": "duration", "max_aux_streams": "maxAuxStreams"}
    for name, least in lowest.items():
        if name in given and not given[name] >= least:  # NaN is refused too
            raise UsageError(f"--{spelled.get(name, name)}={given[name]} is too little; {least} or more was expected.")
