"""build_engine.py as a user meets it: real builds by TensorRT-RTX, on the CPU."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from calibration.quantiser import QuantiserOptions, prepare
from calibration.run import with_manifest
from cvqe.engine_manifest import manifest_path
from cvqe.errors import BackendError
from export.build_engine import main, parse_args
from plugins.tensorrt_modules import load_tensorrt
from runtime.cuda.driver import open_cuda
from runtime.engine_file import load_engine_file
from runtime.gpu_presence import gpu_obstacle
from runtime.tensorrt_engine import LoadedEngine
from tests.calibration.graphs import residual_net, windows
from tests.engines import network_manifest, save_engine, save_small_network
from tests.networks import export_network
from tests.quantised import quantised_model, with_quantised_conv

pytest.importorskip("tensorrt_rtx", reason="engines are built by TensorRT-RTX:  pip install tensorrt-rtx-cu13")
pytest.importorskip("triton", reason="DeformConv is compiled by Triton")
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "export" / "build_engine.py"
STATIC = "--optShapes=window:1x7x64x96"
DYNAMIC = ("--minShapes=window:1x7x32x32", STATIC, "--maxShapes=window:1x7x128x128")
FOR_89 = "--computeCapabilities=8.9"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def plain(folder):
    return save_small_network(folder / "plain.onnx")


@pytest.fixture(scope="module")
def deformable(folder):
    return save_small_network(folder / "deformable.onnx", with_deform_conv=True)


@pytest.fixture
def build(tmp_path, capsys, caplog):
    """Return a function that runs the script here; it returns the exit code, the results, and all else it says."""

    def run(*arguments):
        caplog.clear()
        code = main([f"--saveEngine={tmp_path / 'm.engine'}", FOR_89, "--skipInference", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, caplog.text + err

    return run


def start(*arguments, code=None):
    command = [sys.executable, *(["-c", code] if code else [str(SCRIPT)]), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_static_engine_with_our_plugin_is_built(deformable, tmp_path, build):
    code, out, err = build(f"--onnx={deformable}", STATIC)
    assert code == 0, err
    assert "window 1x7x64x96" in out and "built in" in out and "not timed: --skipInference" in err
    assert files_in(tmp_path) == ["m.engine", "m.engine.json"]
    engine = load_engine_file(tmp_path / "m.engine")
    assert b"DeformConv" in engine.content and b".target sm_89" in engine.content
    assert (engine.manifest.n_fused, engine.manifest.compute_capabilities) == (1, (89,))
    assert engine.manifest.network.network == "small"
    assert engine.manifest.onnx == os.path.relpath(deformable, tmp_path)
    engine.check("tensorrt-rtx", engine.manifest.library_version, 89, 64, 96)


def test_a_dynamic_engine_is_built(deformable, tmp_path, build):
    code, out, err = build(f"--onnx={deformable}", *DYNAMIC)
    assert code == 0, err
    assert "1x7x32x32 to 1x7x128x128" in out
    engine = load_engine_file(tmp_path / "m.engine")
    assert b"DeformConv" in engine.content
    assert engine.manifest.window.opt == (1, 7, 64, 96)


@pytest.mark.parametrize(
    "sizes, guide",
    [
        (["--optShapes=window:1x3x35x51"], "1x1x35x51"),
        (["--minShapes=window:1x3x33x32", "--maxShapes=window:1x3x64x97"], "1x1x33x32 to 1x1x64x97"),
    ],
)
def test_a_guided_network_is_built_and_its_guide_is_as_large_as_the_frames(tmp_path, build, sizes, guide):
    model = export_network("mganet", tmp_path / "mganet.onnx", "fp16", channels=16)
    code, _, err = build(f"--onnx={model}", *sizes)
    assert code == 0, err
    manifest = load_engine_file(tmp_path / "m.engine").manifest
    assert str(manifest.profile["guide"]) == guide
    assert manifest.network.takes_guide and manifest.plugin_sha256 is None


@pytest.mark.parametrize("with_deform_conv", [False, True])
def test_a_quantised_network_is_built_in_its_own_precision(tmp_path, build, with_deform_conv):
    model = onnx.load(save_small_network(tmp_path / "small.onnx", with_deform_conv, channels=16))
    onnx.helper.set_model_props(model, network_manifest(precision="int8").to_properties())
    onnx.save(with_quantised_conv(model, "last", amax=1.0), tmp_path / "small_int8.onnx")
    code, out, err = build(f"--onnx={tmp_path / 'small_int8.onnx'}", STATIC)
    assert code == 0, err
    assert "small in int8" in out
    engine = load_engine_file(tmp_path / "m.engine")
    assert engine.manifest.precision == "int8"
    assert (b"DeformConv" in engine.content) is with_deform_conv


@pytest.mark.parametrize("to", ["int8", "fp8"])
def test_what_calibration_writes_is_built(tmp_path, build, to):
    rounded = prepare(residual_net(), windows(), QuantiserOptions(to)).quantised()
    onnx.save(with_manifest(rounded, network_manifest(radius=1, precision=to)), tmp_path / "net.onnx")
    code, out, err = build(f"--onnx={tmp_path / 'net.onnx'}", "--optShapes=window:1x3x64x96")
    assert code == 0, err
    assert f"small in {to}" in out


@pytest.mark.slow  # its DeformConv is compiled, and many more layers
def test_the_shipped_calibrated_network_is_built(tmp_path, build):
    code, out, err = build(f"--onnx={ROOT / 'weights' / 'live_int8.onnx'}", STATIC)
    assert code == 0, err
    assert "live in int8" in out
    assert load_engine_file(tmp_path / "m.engine").manifest.precision == "int8"


def test_scales_that_tensorrt_does_not_take_name_the_node_and_the_remedy(tmp_path, build):
    model = quantised_model()
    for tensor in model.graph.initializer:
        if tensor.name == "features.zero":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.int8(3), tensor.name))
    onnx.save(model, tmp_path / "odd.onnx")
    code, _, err = build(f"--onnx={tmp_path / 'odd.onnx'}", STATIC)
    assert code == 1
    assert "node features.q (QuantizeLinear) has a zero point that is not 0, which TensorRT does not take" in err
    assert "python calibration/calibrate.py" in err


@pytest.mark.slow  # another kernel to compile
def test_masks_may_stay_as_they_are_in_the_file(deformable, tmp_path, build):
    code, _, err = build(f"--onnx={deformable}", STATIC, "--noFusedMasks")
    assert code == 0, err
    told = load_engine_file(tmp_path / "m.engine").manifest
    assert (told.n_fused, told.build["noFusedMasks"]) == (0, True)


@pytest.mark.parametrize(
    "sizes",
    [
        {"opt": "720x1280"},
        pytest.param({"min": "64x64", "opt": "720x1280", "max": "1088x1920"}, marks=pytest.mark.slow),
    ],
)
def test_the_whole_tgafnet_is_built_at_720p_for_one_size_and_for_many(tmp_path, build, sizes):
    model = export_network("tgafnet", tmp_path / "tgafnet.onnx", "fp16")
    code, _, err = build(f"--onnx={model}", *(f"--{end}Shapes=window:1x7x{size}" for end, size in sizes.items()))
    assert code == 0, err
    engine = load_engine_file(tmp_path / "m.engine")
    assert engine.manifest.n_fused == 4
    assert engine.manifest.window.is_static is (len(sizes) == 1)
    assert engine.content.count(b".target sm_89") >= 4  # TensorRT-RTX 1.7 keeps some plugin fields twice


def test_the_same_request_is_not_built_again_and_another_is(plain, tmp_path, build):
    assert "built in" in build(f"--onnx={plain}", STATIC)[1]
    first = (tmp_path / "m.engine").stat().st_mtime_ns
    assert "found, checksum verified, not built again" in build(f"--onnx={plain}", STATIC)[1]
    assert (tmp_path / "m.engine").stat().st_mtime_ns == first
    assert "built in" in build(f"--onnx={plain}", STATIC, "--force")[1]
    _, out, err = build(f"--onnx={plain}", STATIC, "--builderOptimizationLevel=1")
    assert "built in" in out and "built for another request; it is built anew" in err


def test_another_network_under_the_same_name_is_another_request(tmp_path, build):
    model = save_small_network(tmp_path / "m.onnx")
    assert "built in" in build(f"--onnx={model}", STATIC)[1]
    save_small_network(tmp_path / "m.onnx", seed=1)
    assert "built in" in build(f"--onnx={model}", STATIC)[1]


def test_a_damaged_engine_is_replaced(plain, tmp_path, build):
    build(f"--onnx={plain}", STATIC)
    whole = (tmp_path / "m.engine").read_bytes()
    (tmp_path / "m.engine").write_bytes(whole[:-1])
    _, out, err = build(f"--onnx={plain}", STATIC)
    assert "built in" in out and "damaged or another engine" in err
    assert load_engine_file(tmp_path / "m.engine").content == whole  # RTX builds the same bytes each time


def test_a_crash_between_engine_and_manifest_is_mended(plain, tmp_path, build):
    build(f"--onnx={plain}", STATIC)
    manifest_path(tmp_path / "m.engine").unlink()
    _, out, err = build(f"--onnx={plain}", STATIC)
    assert "built in" in out and "has no manifest" in err
    load_engine_file(tmp_path / "m.engine")


def test_without_a_name_the_engine_is_named_after_what_it_is_for(plain, tmp_path, capsys):
    arguments = [f"--onnx={plain}", STATIC, FOR_89, "--skipInference", f"--engines={tmp_path / 'new' / 'folder'}"]
    assert main(arguments) == main([*arguments]) == 0
    (engine,) = (tmp_path / "new" / "folder").glob("*.engine")
    assert engine.name.startswith("plain_96x64_tensorrt-rtx_sm89_")
    assert "not built again" in capsys.readouterr().out


def test_without_a_gpu_named_the_engine_is_for_all_from_8_0_on(plain, tmp_path, capsys):
    path = tmp_path / "m.engine"
    assert main([f"--onnx={plain}", STATIC, f"--saveEngine={path}", "--library=tensorrt-rtx", "--skipInference"]) == 0
    told = load_engine_file(path).manifest
    if told.cuda_version is None:  # no GPU here
        assert told.is_portable and told.compute_capabilities[0] == 80


def test_byte_pairs_are_built_from_a_file_of_bytes(plain, tmp_path, build):
    code, _, err = build(f"--onnx={plain}", "--optShapes=window:1x7x64x96x2", "--bitDepth=16")
    assert code == 0, err
    told = load_engine_file(tmp_path / "m.engine").manifest
    assert told.network.bit_depth == 16
    assert told.profile["peak"].opt == ()


def test_every_setting_reaches_the_library_and_the_manifest(plain, tmp_path, build):
    settings = {
        "memPoolSize": "workspace:1073741824B",
        "builderOptimizationLevel": 1,
        "profilingVerbosity": "detailed",
        "tilingOptimizationLevel": 1,
        "l2LimitForTiling": 1048576,
        "maxAuxStreams": 0,
        "hardwareCompatibilityLevel": "none",
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    code, _, err = build(f"--onnx={plain}", STATIC, *flags, "--verbose")
    assert code == 0, err
    told = load_engine_file(tmp_path / "m.engine").manifest.build
    assert {name: told[name] for name in settings} == settings
    names_only = build(f"--onnx={plain}", STATIC, *flags, "--profilingVerbosity=none")
    assert "built in" in names_only[1]


def test_two_builders_at_once_build_once(plain, tmp_path):
    arguments = [f"--onnx={plain}", STATIC, FOR_89, f"--saveEngine={tmp_path / 'm.engine'}", "--skipInference"]
    both = [start(*arguments), start(*arguments)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted("built in" in out for out, _ in outputs) == [False, True]
    assert files_in(tmp_path) == ["m.engine", "m.engine.json"]


SLOW_BUILD = """
import sys, time
from export import engine_builder, engine_maker
from export.build_engine import main
real = engine_builder.build_engine
def build(*arguments):
    built = real(*arguments)
    print("built", flush=True)
    time.sleep(60)
    return built
engine_maker.build_engine = build
raise SystemExit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_build_leaves_nothing_that_could_be_loaded(plain, tmp_path, build, how, code):
    arguments = (f"--onnx={plain}", STATIC, FOR_89, f"--saveEngine={tmp_path / 'm.engine'}", "--skipInference")
    process = start(*arguments, code=SLOW_BUILD)
    assert process.stdout.readline() == "built\n"
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert files_in(tmp_path) in ([], ["m.engine.lock"])
    begun = time.monotonic()
    assert build(*arguments)[0] == 0  # nobody holds the lock
    assert time.monotonic() - begun < 30


def test_ctrl_c_ends_the_build_at_its_next_step(plain, tmp_path, build, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("export.build_progress.TELL_EVERY_S", -1.0)
    monkeypatch.setattr("export.build_progress.log.info", interrupt)
    code, out, err = build(f"--onnx={plain}", STATIC)
    assert (code, out) == (130, "")
    assert "nothing was written" in err
    assert files_in(tmp_path) == []


def test_too_little_workspace_shows_tensorrts_words_and_a_remedy(plain, tmp_path, build):
    code, out, err = build(f"--onnx={plain}", STATIC, "--memPoolSize=workspace:4K")
    assert (code, out) == (1, "")
    assert "no tactics to implement the operation within workspace limit" in err
    assert "--memPoolSize=workspace:4096" in err
    assert files_in(tmp_path) == []
    assert "Traceback" not in err


def test_a_network_that_does_not_parse_names_its_node(tmp_path, build):
    model = save_small_network(tmp_path / "m.onnx")
    broken = onnx.load(model)
    next(node for node in broken.graph.node if node.name == "last").op_type = "NoSuchOperation"
    onnx.save(broken, model)
    code, _, err = build(f"--onnx={model}", STATIC)
    assert code == 1
    assert "node last (NoSuchOperation)" in err and "nothing was written" in err


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["--onnx=PLAIN"], 2, "Type:  --optShapes=window:1x7x720x1280"),
        (["--onnx=PLAIN", "--optShapes=window:1x5x64x64"], 2, "the file has it as 1x7xheightxwidth"),
        (["--onnx=PLAIN", STATIC, "--computeCapabilities=9.0"], 2, "can't be told to build for"),
        (["--onnx=PLAIN", STATIC, "--versionCompatible"], 2, "leave --versionCompatible away"),
        (["--onnx=PLAIN", STATIC, "--hardwareCompatibilityLevel=ampere+"], 2, "--computeCapabilities=8.6,8.9"),
        (["--onnx=PLAIN", STATIC, "--dynamicPlugins=none.so"], 2, "none.so is no library of TensorRT plugins"),
        (["--onnx=PLAIN", STATIC, "--saveEngine=m.plan"], 2, "end it in .engine"),
        (["--onnx=PLAIN", STATIC, "--saveEngine=none/m.engine"], 2, "mkdir -p none"),
        (["--onnx=PLAIN", STATIC, "--exportTimes=none/t.json"], 2, "mkdir -p none"),
        (["--onnx=PLAIN", STATIC, "--fp16"], 2, "python export/to_onnx.py --checkpoint"),
        (["--onnx=none.onnx", STATIC], 2, "none.onnx is no file"),
        (["--onnx=PLAIN", "--loadEngine=m.engine"], 2, "one of them"),
        ([], 2, "one of them"),
        (["--loadEngine=none.engine"], 2, "none.engine is no file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(plain, tmp_path, capsys, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    assert main([each.replace("PLAIN", str(plain)) for each in [*arguments, "--library=tensorrt-rtx"]]) == code
    out, err = capsys.readouterr()
    assert out == "" and words in err
    assert files_in(tmp_path) == []


def test_tensorrt_that_is_not_installed_is_said_with_the_command(plain, tmp_path, capsys):
    pytest.importorskip("tensorrt_rtx")
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        assert main([f"--onnx={plain}", STATIC, "--library=tensorrt", f"--engines={tmp_path}"]) == 1
        assert "pip install tensorrt-cu13" in capsys.readouterr().err


def test_layers_are_the_networks_own_where_no_gpu_is(deformable, tmp_path, build):
    code, out, err = build(
        f"--onnx={deformable}", STATIC, "--dumpLayerInfo", f"--exportLayerInfo={tmp_path / 'l.json'}"
    )
    assert code == 0, err
    assert "PLUGIN_V3" in out and "before they are fused" in err
    layers = json.loads((tmp_path / "l.json").read_text())["network_layers"]
    plugin = next(layer for layer in layers if layer["type"] == "PLUGIN_V3")
    assert plugin["outputs"][0]["shape"] == [1, 4, 64, 96]
    assert plugin["outputs"][0]["dtype"] == "HALF"


def test_times_that_were_asked_for_and_not_taken_are_an_error(plain, tmp_path, build):
    code, _, err = build(f"--onnx={plain}", STATIC, f"--exportTimes={tmp_path / 't.json'}")
    assert code == 1
    assert "nothing was timed: --skipInference" in err


def test_the_timing_cache_is_said_to_be_unused(plain, tmp_path, build):
    code, _, err = build(f"--onnx={plain}", STATIC, f"--timingCacheFile={tmp_path / 'own.cache'}")
    assert code == 0
    assert "--timingCacheFile is not used" in err


def test_loading_without_a_gpu_verifies_the_checksum_first(plain, tmp_path, build, capsys):
    build(f"--onnx={plain}", STATIC)
    path = tmp_path / "m.engine"
    assert main([f"--loadEngine={path}", "--skipInference"]) == 0
    assert "verified" in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:-1])
    assert main([f"--loadEngine={path}"]) == 1
    err = capsys.readouterr().err
    command = err.partition("Build it again:  ")[2].strip()
    assert parse_args(shlex.split(command)[2:]).save_engine == path


@pytest.mark.skipif(gpu_obstacle() is None, reason="a GPU is here")
def test_an_engine_that_no_gpu_can_time_is_told_what_this_script_can_do(tmp_path, capsys):
    path = tmp_path / "m.engine"
    save_engine(path)
    assert main([f"--loadEngine={path}"]) == 1
    err = capsys.readouterr().err
    assert "--backend" not in err
    command = err.partition("check it only:  ")[2].strip()
    assert main(shlex.split(command)[2:]) == 0


@pytest.mark.parametrize("flag", ["--exportTimes=t.json", "--exportProfile=p.json", "--dumpProfile"])
def test_times_of_an_engine_that_is_only_verified_are_an_error(tmp_path, capsys, monkeypatch, flag):
    monkeypatch.chdir(tmp_path)
    save_engine(tmp_path / "m.engine")
    assert main(["--loadEngine=m.engine", "--skipInference", flag]) == 1
    assert "nothing was timed: --skipInference" in capsys.readouterr().err


def test_layers_of_an_engine_that_is_only_verified_are_an_error(tmp_path, capsys):
    save_engine(tmp_path / "m.engine")
    assert main([f"--loadEngine={tmp_path / 'm.engine'}", "--skipInference", "--dumpLayerInfo"]) == 2
    assert "leave --skipInference away" in capsys.readouterr().err


def test_plugins_of_ones_own_are_to_be_named_again(tmp_path, capsys):
    path = tmp_path / "m.engine"
    save_engine(path, build={"dynamicPlugins": "mine.so,inside.so", "setPluginsToSerialize": "inside.so"})
    assert main([f"--loadEngine={path}"]) == 2
    assert capsys.readouterr().err.endswith("--dynamicPlugins=mine.so\n")


def test_the_command_of_a_damaged_engine_builds_it_again(plain, tmp_path, build, capsys):
    build(f"--onnx={plain}", STATIC, "--memPoolSize=workspace:64")
    path = tmp_path / "m.engine"
    key = load_engine_file(path).manifest.key
    path.write_bytes(b"damaged")
    main([f"--loadEngine={path}"])
    command = capsys.readouterr().err.partition("Build it again:  ")[2].strip()
    assert main([*shlex.split(command)[2:], "--skipInference"]) == 0
    assert load_engine_file(path).manifest.key == key


def test_the_script_runs_by_path_and_says_results_on_stdout_alone(plain, tmp_path):
    process = start(f"--onnx={plain}", STATIC, FOR_89, f"--engines={tmp_path}", "--skipInference")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert len(out.splitlines()) == 1
    assert "building " in err


@pytest.fixture
def gpu():
    try:
        cuda = open_cuda()
    except BackendError as error:
        pytest.skip(str(error))
    yield cuda.device
    cuda.close()


@pytest.mark.gpu
@pytest.mark.parametrize("extra", [(), ("--useCudaGraph",)])
def test_an_engine_is_timed_after_it_was_built(gpu, deformable, tmp_path, capsys, extra):
    times, profile = tmp_path / "times.json", tmp_path / "profile.json"
    arguments = (f"--onnx={deformable}", STATIC, "--library=tensorrt-rtx", f"--saveEngine={tmp_path / 'm.engine'}")
    written = (f"--exportTimes={times}", f"--exportProfile={profile}", "--dumpLayerInfo", "--duration=0.2", *extra)
    assert main([*arguments, *written]) == 0, capsys.readouterr().err
    assert "throughput" in capsys.readouterr().out
    assert all(each["computeMs"] > 0 for each in json.loads(times.read_text()))
    assert len(json.loads(profile.read_text())) > 1


@pytest.mark.gpu
def test_an_engine_that_was_built_loads(gpu, plain, tmp_path):
    path = tmp_path / "m.engine"
    assert main([f"--onnx={plain}", STATIC, "--library=tensorrt-rtx", f"--saveEngine={path}", "--skipInference"]) == 0
    loaded = LoadedEngine(load_tensorrt("tensorrt-rtx"), load_engine_file(path))
    assert loaded.engine.num_io_tensors == 3
    loaded.close()
