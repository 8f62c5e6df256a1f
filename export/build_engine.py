"""Build a TensorRT or TensorRT-RTX engine from an exported network, or time one; flags are spelled as trtexec's.

$ python export/build_engine.py --onnx=tgafnet_fp16.onnx --saveEngine=tgafnet.engine --optShapes=window:1x7x720x1280
$ python export/build_engine.py --onnx=tgafnet_fp16.onnx --library=tensorrt-rtx --computeCapabilities=8.9 \\
      --minShapes=window:1x7x64x64 --optShapes=window:1x7x720x1280 --maxShapes=window:1x7x1088x1920
$ python export/build_engine.py --loadEngine=tgafnet.engine --useCudaGraph

The same request again finds the engine and checks it instead of building it. m.engine.json tells what m.engine is.
exit codes: 0 done, 1 error, 2 usage, 130 interrupted; all told in docs/build_engine.md
"""

import argparse
import logging
import sys
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.engine_manifest import LIBRARIES
from cvqe.errors import CvqeError, ExitCode
from export.engine_job import carry_out
from export.engine_options import EngineOptions, TimingOptions, options_from_flags
from export.trtexec_options import (
    ALWAYS_ON,
    read_bytes,
    read_capabilities,
    read_libraries,
    read_pools,
    read_shapes,
    refuse_removed,
    refuse_unknown,
)

PLACEHOLDERS = {Path: "PATH", int: "N", float: "N", read_bytes: "N", read_shapes: "SHAPES", read_pools: "POOLS"} | {
    read_capabilities: "LIST",
    read_libraries: "FILES",
}


def parse_args(argv: list[str] | None = None) -> EngineOptions:
    """Read the command line; unset options keep EngineOptions' defaults.

    Raises:
        UsageError: a flag that trtexec had or has, or nobody: with what to do now.
    """
    arguments = sys.argv[1:] if argv is None else argv
    parser = create_parser()
    refuse_removed(arguments)
    values, unknown = parser.parse_known_args(arguments)
    refuse_unknown(unknown, (flag for action in parser._actions for flag in action.option_strings))
    return options_from_flags(vars(values))


def create_parser() -> argparse.ArgumentParser:
    """Return the parser; options that were not given are not set."""
    parser = argparse.ArgumentParser(
        usage="build_engine.py --onnx=FILE.onnx | --loadEngine=FILE.engine  [options]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    _add_files(parser.add_argument_group("files"))
    _add_build(parser.add_argument_group("build"))
    _add_timing(parser.add_argument_group("timing, as trtexec does it; skipped where no GPU is"))
    parser.add_argument("--verbose", action="store_true", help="show all that TensorRT says")
    for flag in ALWAYS_ON:
        parser.add_argument(f"--{flag}", dest="_always_on", action="store_true", help="always on; accepted")
    for action in parser._actions:
        action.metavar = None if action.choices else PLACEHOLDERS.get(action.type)
    return parser


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--onnx", type=Path, help="file of export/to_onnx.py to build")
    group.add_argument(
        "--saveEngine", dest="save_engine", type=Path, help="[into --engines, named after what it is for]"
    )
    group.add_argument("--loadEngine", dest="load_engine", type=Path, help="engine to time instead")
    group.add_argument("--engines", type=Path, help="folder of engines and timing cache [engines/ of this project]")
    group.add_argument("--timingCacheFile", dest="timing_cache", type=Path, help="[timing.cache in --engines]")
    group.add_argument("--force", action="store_true", help="build even where the same engine is there")


def _add_build(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--library", choices=("auto", *LIBRARIES), help=f"[{EngineOptions.library}]")
    add(
        "--computeCapabilities",
        dest="compute_capabilities",
        type=read_capabilities,
        help="GPUs, as in 8.9,12.0; tensorrt-rtx only [the one here; without one all from 8.0 on]",
    )
    for end in ("min", "opt", "max"):
        add(f"--{end}Shapes", dest=f"{end}_shapes", type=read_shapes, help="as in window:1x7x720x1280,qp:1")
    add("--shapes", type=read_shapes, help="the only shapes to build for; of an engine: those to time")
    add("--bitDepth", dest="bit_depth", type=int, choices=(8, 16), help="bits a stored sample [the file's]")
    add("--noFusedMasks", dest="fused_masks", action="store_false", help="leave the masks' sigmoid in the network")
    add("--memPoolSize", dest="memory_pools", type=read_pools, help="as in workspace:4096, MiB [the library's]")
    add("--builderOptimizationLevel", dest="builder_optimization_level", type=int, choices=range(6), help="[3]")
    add(
        "--profilingVerbosity",
        dest="profiling_verbosity",
        choices=("layer_names_only", "detailed", "none"),
        help="[layer_names_only]",
    )
    add("--tilingOptimizationLevel", dest="tiling_optimization_level", type=int, choices=range(4), help="[0]")
    add("--l2LimitForTiling", dest="l2_limit_for_tiling", type=read_bytes, help="bytes [the library's]")
    add(
        "--hardwareCompatibilityLevel",
        dest="hardware_compatibility_level",
        choices=("none", "ampere+", "sameComputeCapability"),
        help="tensorrt only [none]",
    )
    add("--noTF32", dest="no_tf32", action="store_true", help="float32 layers keep all bits of their inputs")
    add("--versionCompatible", dest="version_compatible", action="store_true", help="tensorrt only")
    add("--maxAuxStreams", dest="max_aux_streams", type=int, help="[the library's]")
    add(
        "--dynamicPlugins",
        dest="plugins",
        type=read_libraries,
        action="extend",
        help="plugins of your own; ours needs no flag",
    )
    add(
        "--setPluginsToSerialize",
        dest="plugins_to_serialize",
        type=read_libraries,
        action="extend",
        help="those put into the engine",
    )


def _add_timing(group: argparse._ArgumentGroup) -> None:
    add, default = group.add_argument, TimingOptions
    add("--skipInference", dest="skip_inference", action="store_true", help="build only")
    add("--iterations", type=int, help=f"at least [{default.iterations}]")
    add("--warmUp", dest="warm_up_ms", type=float, help=f"ms [{default.warm_up_ms:g}]")
    add("--duration", dest="duration_s", type=float, help=f"at least so many seconds [{default.duration_s:g}]")
    add("--useCudaGraph", dest="use_cuda_graph", action="store_true", help="one graph launch an inference")
    add("--exportTimes", dest="export_times", type=Path, help="write every inference's times as JSON")
    add("--dumpProfile", dest="dump_profile", action="store_true", help="show the time of each layer")
    add("--exportProfile", dest="export_profile", type=Path, help="write it as JSON")
    add("--dumpLayerInfo", dest="dump_layer_info", action="store_true", help="show the layers")
    add("--exportLayerInfo", dest="export_layer_info", type=Path, help="write them as JSON")


def show_logs(verbose: bool) -> None:
    """Show our progress; of TensorRT's words all or none, since its errors are part of our messages."""
    logging.getLogger("export").setLevel(logging.INFO)
    logging.getLogger("plugins.tensorrt_log").setLevel(1 if verbose else logging.ERROR)


def main(argv: list[str] | None = None) -> int:
    """Build or time one engine; our own errors become one message."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        options = parse_args(argv)
        show_logs(options.verbose)
        for result in carry_out(options):
            print(result, flush=True)
    except CvqeError as error:
        print(f"build_engine: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("build_engine: stopped; nothing was written", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    return int(ExitCode.DONE)


if __name__ == "__main__":
    raise SystemExit(main())
