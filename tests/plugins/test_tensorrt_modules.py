import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from cvqe.errors import BackendError, UsageError
from plugins import tensorrt_modules
from plugins.tensorrt_modules import (
    MISSING_NAME,
    can_override_importers,
    compute_capabilities,
    load_tensorrt,
    tensorrt_version,
)

ROOT = Path(__file__).resolve().parents[2]
needs_rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="tensorrt_rtx is not installed")
# adds a plugin layer, at which TensorRT-RTX's parser opens libtensorrt_rtx.so
PARSE_A_PLUGIN = """
import onnx
from onnx import TensorProto, helper

class Plugin(trt.IPluginV3, trt.IPluginV3OneCore, trt.IPluginV3OneBuild, trt.IPluginV3OneRuntime):
    def __init__(self):
        for base in Plugin.__bases__:
            base.__init__(self)
        self.plugin_name, self.plugin_version, self.plugin_namespace, self.num_outputs = "Same", "1", "", 1
    def get_capability_interface(self, kind): return self
    def clone(self): return Plugin()
    def get_output_data_types(self, types): return types
    def get_output_shapes(self, inputs, shape_inputs, builder): return inputs

class Creator(trt.IPluginCreatorV3One):
    def __init__(self):
        super().__init__()
        self.name, self.plugin_version, self.plugin_namespace = "Same", "1", ""
        self.field_names = trt.PluginFieldCollection([])
    def create_plugin(self, name, fields, phase): return Plugin()

creator = Creator()
trt.get_plugin_registry().register_creator(creator, "")
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])
graph = helper.make_graph([helper.make_node("Same", ["x"], ["y"], domain="test")], "g", [value("x")], [value("y")])
opsets = [helper.make_opsetid("", 19), helper.make_opsetid("test", 1)]
logger = trt.Logger(trt.Logger.ERROR)
network = trt.Builder(logger).create_network(0)
parser = trt.OnnxParser(network, logger)
assert parser.parse(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
print("parsed")
"""
LOAD = "from plugins.tensorrt_modules import load_tensorrt; trt = load_tensorrt('tensorrt-rtx')\n"


@pytest.fixture
def bare_wheel(tmp_path):
    """Return a folder to put on PYTHONPATH, whose tensorrt_rtx_libs has what the wheel has and no more."""
    installed = Path(find_spec("tensorrt_rtx_libs").origin).parent
    folder = tmp_path / "path" / "tensorrt_rtx_libs"
    folder.mkdir(parents=True)
    for file in (installed / "__init__.py", *installed.glob("*.so.*")):
        (folder / file.name).symlink_to(file)
    assert not (folder / MISSING_NAME).exists()
    return folder


def run_python(code, bare_wheel, **environment):
    temporary = bare_wheel.parents[1] / "tmp"
    temporary.mkdir(exist_ok=True)
    paths = {"PYTHONPATH": f"{bare_wheel.parent}{os.pathsep}{ROOT}", "TMPDIR": str(temporary)}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **paths, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_library_that_does_not_exist_is_a_usage_error():
    with pytest.raises(UsageError, match="no library 'trt'; choose tensorrt or tensorrt-rtx"):
        load_tensorrt("trt")


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendError, match=r"tensorrt is not installed\.\nInstall it:  pip install tensorrt-cu13$"):
        load_tensorrt("tensorrt")


def test_a_package_that_does_not_load_says_why(monkeypatch):
    def broken(name):
        raise OSError("libnvinfer.so.11: cannot open shared object file")

    monkeypatch.setattr(tensorrt_modules, "import_module", broken)
    with pytest.raises(BackendError, match=r"does not load \(libnvinfer\.so\.11: cannot open"):
        load_tensorrt("tensorrt")


def test_a_part_of_a_package_that_is_missing_is_not_taken_for_the_package(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'tensorrt_bindings'", name="tensorrt_bindings")

    monkeypatch.setattr(tensorrt_modules, "import_module", broken)
    with pytest.raises(BackendError, match=r"installed but does not load .*tensorrt_bindings"):
        load_tensorrt("tensorrt")


def test_a_tensorrt_without_our_kind_of_plugin_is_too_old(monkeypatch):
    old = ModuleType("tensorrt")
    old.__version__ = "8.6.1"
    monkeypatch.setitem(sys.modules, "tensorrt", old)
    with pytest.raises(BackendError, match=r"8\.6\.1 takes no IPluginV3; 10\.0 or newer"):
        load_tensorrt("tensorrt")


def test_tensorrt_compiles_for_its_own_device_only():
    assert compute_capabilities(SimpleNamespace()) == {}


@needs_rtx
def test_tensorrt_rtx_loads_and_tells_its_version_and_targets():
    trt = load_tensorrt("tensorrt-rtx")
    assert trt is load_tensorrt("tensorrt-rtx")
    assert tensorrt_version(trt) == trt.__version__
    assert can_override_importers(trt)
    assert compute_capabilities(trt)[89] == trt.ComputeCapability.SM89


@needs_rtx
def test_the_bare_wheel_takes_a_plugin_and_nothing_is_written_into_it(bare_wheel):
    n_copies = "len({line.split()[4] for line in open('/proc/self/maps') if 'libtensorrt_rtx.so' in line})"
    before = sorted(bare_wheel.iterdir())
    run = run_python(LOAD + PARSE_A_PLUGIN + f"print({n_copies})", bare_wheel)
    assert (run.returncode, run.stdout.split()) == (0, ["parsed", "1"]), run.stderr
    assert [path for path in sorted(bare_wheel.iterdir()) if path.name != "__pycache__"] == before
    assert list((bare_wheel.parents[1] / "tmp").iterdir()) == []


@needs_rtx
def test_without_us_the_bare_wheel_ends_the_process(bare_wheel):
    """Where this fails the wheel is mended, and so much less is to be done here."""
    run = run_python("import tensorrt_rtx as trt\n" + PARSE_A_PLUGIN, bare_wheel)
    assert run.returncode < 0
    assert run.stdout == ""


@needs_rtx
def test_where_it_was_imported_before_the_name_is_written_beside_the_library(bare_wheel):
    run = run_python("import tensorrt_rtx\n" + LOAD + PARSE_A_PLUGIN, bare_wheel)
    assert (run.returncode, run.stdout) == (0, "parsed\n"), run.stderr
    assert (bare_wheel / MISSING_NAME).is_symlink()


def test_where_nothing_can_be_written_the_advice_works(tmp_path, monkeypatch):
    for name in (MISSING_NAME + ".1", "libtensorrt_onnxparser_rtx.so.1"):
        (tmp_path / name).write_text("")

    def refuse(*_):
        raise PermissionError("Permission denied")

    monkeypatch.setattr(tensorrt_modules, "_wheel_folder", lambda: tmp_path)
    monkeypatch.setattr(tensorrt_modules, "_is_loaded", lambda name: True)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    monkeypatch.setattr(
        tensorrt_modules, "_provide_missing_name", tensorrt_modules._provide_missing_name.__wrapped__
    )  # it remembers that it is done
    with pytest.raises(BackendError, match=r"would end this process at the first plugin.*Permission denied") as caught:
        load_tensorrt("tensorrt-rtx")
    command = str(caught.value).partition("Type:  ")[2]
    subprocess.run(command, shell=True, check=True)
    assert (tmp_path / MISSING_NAME).resolve() == tmp_path / (MISSING_NAME + ".1")
