"""trtexec's spelling."""

import re
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from calibration.calibrate import parse_args as parse_calibration
from cvqe.errors import UsageError
from export.build_engine import create_parser, parse_args
from export.engine_options import EngineOptions
from export.to_onnx import parse_args as parse_export
from export.trtexec_options import REMOVED, read_capabilities, read_pools, read_shapes

# every flag that the project promises to take
PROMISED = [
    "--onnx=a.onnx",
    "--saveEngine=a.engine",
    "--loadEngine=b.engine",
    "--minShapes=x:1",
    "--optShapes=x:1",
    "--maxShapes=x:1",
    "--shapes=x:1",
    "--memPoolSize=workspace:4096",
    "--builderOptimizationLevel=5",
    "--timingCacheFile=t.cache",
    "--profilingVerbosity=detailed",
    "--tilingOptimizationLevel=3",
    "--l2LimitForTiling=1024",
    "--hardwareCompatibilityLevel=ampere+",
    "--versionCompatible",
    "--noTF32",
    "--maxAuxStreams=2",
    "--dynamicPlugins=a.so",
    "--setPluginsToSerialize=a.so",
    "--enablePluginOverride",
    "--skipInference",
    "--dumpProfile",
    "--exportProfile=p.json",
    "--dumpLayerInfo",
    "--exportLayerInfo=l.json",
    "--exportTimes=t.json",
    "--iterations=5",
    "--warmUp=10",
    "--duration=2",
    "--useCudaGraph",
    "--verbose",
    "--library=tensorrt-rtx",
    "--computeCapabilities=8.9,12.0",
    "--force",
    "--engines=folder",
    "--noFusedMasks",
    "--bitDepth=16",
    "--stronglyTyped",
]


@pytest.mark.parametrize("joint", ["=", " "])
def test_every_flag_is_read_with_an_equals_sign_and_without(joint):
    arguments = [part for each in PROMISED for part in (each.split("=", 1) if joint == " " else [each])]
    options = parse_args(arguments)
    assert options.build.memory_pools == {"workspace": 2**32}
    assert options.build.plugins_to_serialize == (Path("a.so"),)
    assert (options.build.builder_optimization_level, options.build.tiling_optimization_level) == (5, 3)
    assert (options.build.version_compatible, options.build.fused_masks) == (True, False)
    assert (options.timing.iterations, options.timing.warm_up_ms, options.timing.duration_s) == (5, 10.0, 2.0)
    assert (options.compute_capabilities, options.bit_depth, options.force) == ((89, 120), 16, True)
    assert options.report.wants_layers and options.report.wants_profile
    assert options.shapes.min_shapes == options.shapes.shapes == {"x": (1,)}
    assert (options.onnx, options.engines) == (Path("a.onnx"), Path("folder"))


def test_plugins_may_be_named_one_by_one():
    plugins = parse_args(["--dynamicPlugins=a.so,b.so", "--dynamicPlugins=c.so"]).build.plugins
    assert plugins == (Path("a.so"), Path("b.so"), Path("c.so"))


def test_what_is_not_given_keeps_its_default():
    assert parse_args([]) == EngineOptions()


@pytest.mark.parametrize("flag", sorted(REMOVED))
@pytest.mark.parametrize("value", ["", "=some:thing"])
def test_a_removed_flag_is_answered_with_what_to_do(flag, value):
    with pytest.raises(UsageError, match=f"--{flag} can't be used here: ") as error:
        parse_args(["--onnx=my.onnx", f"--{flag}{value}"])
    taken = [each for action in create_parser()._actions for each in action.option_strings]
    for advised in re.findall(r"--\w+", str(error.value)):
        assert advised in [*taken, f"--{flag}", "--checkpoint", "--precision", "--clips", "--coded"]


@pytest.mark.parametrize("spelled", [["--onnx=weights/live.onnx"], ["--onnx", "weights/live.onnx"]])
def test_the_advice_for_fp16_can_be_pasted(spelled):
    with pytest.raises(UsageError) as error:
        parse_args([*spelled, "--fp16"])
    advice = str(error.value).partition("python export/to_onnx.py ")[2]
    config = parse_export(advice.split())
    assert (config.checkpoint, config.precision) == (Path("weights/live.onnx"), "fp16")


def test_the_advice_for_int8_can_be_pasted():
    with pytest.raises(UsageError) as error:
        parse_args(["--onnx=weights/live.onnx", "--int8"])
    advice = str(error.value).partition("python calibration/calibrate.py ")[2].partition(";")[0]
    assert parse_calibration(advice.split()).onnx == Path("weights/live.onnx")


@pytest.mark.parametrize("wrong, like", [("--saveengine=x", "--saveEngine"), ("--optShape=x:1", "--optShapes")])
def test_a_misspelled_flag_is_answered_with_the_one_meant(wrong, like):
    with pytest.raises(UsageError, match=f"did you mean {like}\\?"):
        parse_args([wrong])


def test_an_unknown_flag_is_no_abbreviation():
    with pytest.raises(UsageError, match="--onn=a\\.onnx is no option"):
        parse_args(["--onn=a.onnx"])
    with pytest.raises(UsageError, match="see them all"):
        parse_args(["--qqqqqq"])


@pytest.mark.parametrize("flag", ["--iterations=0", "--warmUp=-1", "--duration=nan", "--maxAuxStreams=-1"])
def test_numbers_out_of_range_are_refused(flag):
    with pytest.raises(UsageError, match=flag.partition("=")[0]):
        parse_args([flag])


def test_shapes_are_read_for_several_inputs():
    assert read_shapes("window:1x7x720x1280x2,peak:scalar,'a:b':3") == {
        "window": (1, 7, 720, 1280, 2),
        "peak": (),
        "a:b": (3,),
    }


@pytest.mark.parametrize("text", ["", "1x7x64x64", "window:1x7xHxW", "window:1x0x4", "window:1,7", ":1x2"])
def test_what_is_no_shape_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="is no shape"):
        read_shapes(text)


def test_pools_are_in_mib_unless_they_say_otherwise():
    assert read_pools("workspace:1.5,tacticSharedMem:48K") == {"workspace": 3 * 2**19, "tacticSharedMem": 48 * 2**10}
    assert read_pools("workspace:2G") == {"workspace": 2**31}
    assert read_pools("workspace:7B") == {"workspace": 7}


@pytest.mark.parametrize("text", ["4096", "workspace", "workspace:", "dlaSRAM:1", "workspace:4T", "workspace:-1"])
def test_what_is_no_pool_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="is no memory pool"):
        read_pools(text)


def test_capabilities_come_in_order_and_once():
    assert read_capabilities("12.0,8.9, 8.9") == (89, 120)
    with pytest.raises(ArgumentTypeError, match="'sm_89'"):
        read_capabilities("sm_89")
