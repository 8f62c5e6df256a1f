"""trtexec's spelling: how its shapes, sizes and flags are read, and what to do about flags that are gone."""

import difflib
import re
import shlex
from argparse import ArgumentTypeError
from collections.abc import Iterable, Sequence
from pathlib import Path

from cvqe.engine_manifest import Shape, capability_from_text, shape_from_text
from cvqe.errors import UsageError

POOLS = ("workspace", "tacticSharedMem")
_UNITS = {"B": 1, "K": 2**10, "M": 2**20, "G": 2**30}

_IN_FP16 = "export it in fp16:  python export/to_onnx.py --checkpoint {onnx} --precision fp16"
_FP16 = f"precision comes with the file; {_IN_FP16}"
_CALIBRATED = "python calibration/calibrate.py --onnx {onnx} --clips CLIPS --coded CODED"
_INT8 = f"8-bit scales come with the file, as Q/DQ nodes:  {_CALIBRATED}; or {_IN_FP16}"
_TYPED = "every tensor has the type the file gives it; leave the flag out"
_DLA = "no DLA is used here; leave the flag out"
_NOT_HERE = "build_engine.py does not offer it; leave the flag out"
_ENDS = "the file's ends are bytes in and out; leave the flag out"
REMOVED = {
    "fp16": _FP16,
    "bf16": _FP16,
    "half": _FP16,
    "best": _FP16,
    "int8": _INT8,
    "fp8": _INT8,
    "int4": _INT8,
    "calib": _INT8,
    "minShapesCalib": _INT8,
    "optShapesCalib": _INT8,
    "maxShapesCalib": _INT8,
    "calibProfile": _INT8,
    "precisionConstraints": _TYPED,
    "layerPrecisions": _TYPED,
    "layerOutputTypes": _TYPED,
    "layerDeviceTypes": _DLA,
    "useDLACore": _DLA,
    "allowGPUFallback": _DLA,
    "inputIOFormats": _ENDS,
    "outputIOFormats": _ENDS,
    "directIO": _ENDS,
    "buildOnly": "it is called --skipInference now",
    "explicitBatch": "shapes always name the batch; leave the flag out",
    "explicitPrecision": _TYPED,
    "batch": "shapes name the batch, as in  --optShapes=window:1x7x720x1280",
    "maxBatch": "shapes name the batch, as in  --maxShapes=window:1x7x1088x1920",
    "workspace": "say it in MiB as  --memPoolSize=workspace:4096",
    "minTiming": _NOT_HERE,
    "avgTiming": _NOT_HERE,
    "heuristic": "say how long to search with  --builderOptimizationLevel=2",
    "nvtxMode": "it is called --profilingVerbosity now",
    "plugins": "it is called --dynamicPlugins now; our own plugin needs no flag",
    "staticPlugins": "load it with  --dynamicPlugins=FILE; our own plugin needs no flag",
    "tacticSources": _NOT_HERE,
    "device": "choose the GPU outside:  CUDA_VISIBLE_DEVICES=1 python export/build_engine.py --help",
    "deploy": "Caffe files are read no more; export to ONNX:  python export/to_onnx.py",
    "model": "Caffe files are read no more; export to ONNX:  python export/to_onnx.py",
    "uff": "UFF files are read no more; export to ONNX:  python export/to_onnx.py",
    "output": "it is called --saveEngine here",
    "engine": "it is called --saveEngine, or --loadEngine to time one",
    "streams": _NOT_HERE,
    "infStreams": _NOT_HERE,
    "threads": _NOT_HERE,
    "useSpinWait": _NOT_HERE,
    "noDataTransfers": "transfers are timed apart from compute; leave the flag out",
    "separateProfileRun": "times and layer profile always come from runs of their own; leave the flag out",
    "avgRuns": "min, median, p90, p95 and p99 are always told; leave the flag out",
    "percentile": "p90, p95 and p99 are always told; leave the flag out",
}
# trtexec's flags that say what is done here anyway
ALWAYS_ON = ("stronglyTyped", "enablePluginOverride")


def value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """Return what `--flag=value` or `--flag value` gives, None where it gives nothing."""
    for place, argument in enumerate(arguments):
        name, equals, joined = argument.partition("=")
        if name == flag:
            return joined if equals else next(iter(arguments[place + 1 :]), None)
    return None


def refuse_removed(arguments: Sequence[str]) -> None:
    """Answer flags of other trtexec versions with what to do now.

    Raises:
        UsageError: one is among the arguments.
    """
    onnx = shlex.quote(value_of("--onnx", arguments) or "FILE.onnx")
    for argument in arguments:
        name = argument.partition("=")[0]
        if name.startswith("--") and name[2:] in REMOVED:
            raise UsageError(f"{name} can't be used here: {REMOVED[name[2:]].format(onnx=onnx)}")


def refuse_unknown(unknown: Sequence[str], known: Iterable[str]) -> None:
    """Name the first argument nobody takes, and the flag most like it.

    Raises:
        UsageError: there is one.
    """
    if not unknown:
        return
    name = unknown[0].partition("=")[0]
    by_lower = {each.lower(): each for each in known}
    like = difflib.get_close_matches(name.lower(), by_lower, n=1)
    advice = f"did you mean {by_lower[like[0]]}?" if like else "see them all:  python export/build_engine.py --help"
    raise UsageError(f"{unknown[0]} is no option of build_engine.py; {advice}")


def read_shapes(text: str) -> dict[str, Shape]:
    """Read `window:1x7x720x1280,qp:1`; `peak:scalar` has no dimension. Names may stand in single quotes."""
    shapes = {}
    for spec in text.split(","):
        name, _, sizes = spec.strip().rpartition(":")
        name = name.strip("'")
        try:
            shapes[name] = shape_from_text(sizes or "scalar")
        except UsageError:
            name = ""
        if not name:
            raise ArgumentTypeError(f"{spec!r} is no shape; write it as in window:1x7x720x1280")
    return shapes


def read_pools(text: str) -> dict[str, int]:
    """Read `workspace:4096,tacticSharedMem:48K` into bytes; without B, K, M or G a size is in MiB."""
    pools = {}
    for spec in text.split(","):
        match = re.fullmatch(r"(\w+):(\d+(?:\.\d+)?)([BKMG]?)", spec.strip())
        if not match or match[1] not in POOLS:
            raise ArgumentTypeError(
                f"{spec!r} is no memory pool; write it as in workspace:4096 (MiB; pools: {', '.join(POOLS)})"
            )
        pools[match[1]] = int(float(match[2]) * _UNITS[match[3] or "M"])
    return pools


def read_capabilities(text: str) -> tuple[int, ...]:
    """Read `8.9,12.0` into (89, 120), each once and in order."""
    try:
        return tuple(sorted({capability_from_text(each.strip()) for each in text.split(",")}))
    except UsageError as error:
        raise ArgumentTypeError(str(error)) from error


def read_bytes(text: str) -> int:
    """Read a number of bytes."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is no number of bytes")
    return int(text)


def read_libraries(text: str) -> tuple[Path, ...]:
    """Read the names of libraries, separated by commas."""
    return tuple(Path(each) for each in text.split(",") if each)
