import dataclasses
import functools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto

from cvqe.errors import BackendError, ModelError, ShapeError
from plugins.deform_conv import tensorrt_plugin
from plugins.deform_conv.callback_errors import take_error
from plugins.deform_conv.field_memory import arrays_of
from plugins.deform_conv.plugin_fields import Fields
from plugins.deform_conv.problem import Problem
from plugins.deform_conv.tensorrt_plugin import register
from plugins.tensorrt_modules import load_tensorrt
from tests.plugins.deform_conv.node_models import FREE, NodeModel, build_engine

pytest.importorskip("tensorrt_rtx")
pytest.importorskip("triton")
ROOT = Path(__file__).resolve().parents[3]
SAME = Problem(4, 8, (3, 3), pads=(1, 1, 1, 1), offset_group=4)
SMALLEST = Problem(1, 1, (1, 1))  # compiled in less than a second
SHAPES = ((1, 4, 32, 48), (8, 4, 3, 3), (1, 72, 32, 48), (8,))
FIELD = b"cvqe_kernel_sm%d"


@pytest.fixture(scope="module")
def trt():
    return load_tensorrt("tensorrt-rtx")


@pytest.fixture(scope="module")
def kernel():
    return tensorrt_plugin._compiled(SMALLEST, 89)


@pytest.fixture
def quick(monkeypatch, kernel):
    """Stand in for the compiler with one kernel for everything."""
    compiled = []

    def stand_in(problem, compute_capability):
        compiled.append((problem, compute_capability))
        return dataclasses.replace(kernel, problem=problem, compute_capability=compute_capability)

    monkeypatch.setattr(tensorrt_plugin, "_compiled", stand_in)
    return compiled


@pytest.fixture(autouse=True)
def nothing_kept():
    take_error()
    yield
    assert take_error() is None


def creator_of(trt, operation="DeformConv"):
    register(trt, (89,))
    return trt.get_plugin_registry().get_creator(operation, "1", "")


def fields(trt, kind="INT32", **values):
    arrays = {name: np.atleast_1d(np.array(value, np.int32)) for name, value in values.items()}
    return Fields(trt, arrays, getattr(trt.PluginFieldType, kind))


def described(trt, shapes=SHAPES, kind="HALF"):
    """Return the descriptions that configure_plugin gets."""
    data_type = getattr(trt.DataType, kind)
    return [SimpleNamespace(desc=SimpleNamespace(type=data_type, dims=shape), dims=shape) for shape in shapes]


def configured(trt, operation="DeformConv"):
    declared = fields(trt, pads=[1] * 4, offset_group=4)
    plugin = creator_of(trt, operation).create_plugin("node", declared.collection, trt.TensorRTPhase.BUILD)
    plugin.configure_plugin(described(trt), [])
    return plugin


def running(trt, plugin):
    """Return what an engine's loading makes of a plugin that was built."""
    stored = plugin.get_fields_to_serialize()
    return creator_of(trt).create_plugin("node", stored, trt.TensorRTPhase.RUNTIME)


class FakeLauncher:
    """Notes what it is asked for."""

    def __init__(self, kernels):
        self.kernels, self.n_loads, self.launches = kernels, 0, []

    def load(self):
        self.n_loads += 1

    def launch(self, stream, pointers, shapes):
        self.launches.append((stream, pointers, shapes))


@pytest.mark.parametrize(
    "node",
    [
        NodeModel(kernel=(1, 1)),
        NodeModel(kernel=(3, 3), mask="values"),
        NodeModel(kernel=(5, 5), mask="values", element=TensorProto.FLOAT),
        NodeModel(kernel=(3, 3), mask="logits", strides=(2, 2)),
        NodeModel(kernel=(3, 3), mask="packed"),
        NodeModel(kernel=(1, 3), mask="packed", size=FREE),
        NodeModel(kernel=(3, 3), size=FREE, offset_group=2),
        NodeModel(operation="CvqeDeformConv", mask="values"),
    ],
    ids=lambda node: f"{node.kernel[0]}x{node.kernel[1]}-{node.mask}-{node.size[0]}-{node.operation}",
)
def test_a_node_becomes_an_engine_that_carries_its_kernel(trt, quick, kernel, node):
    register(trt, (75, 89))
    profile = None
    if node.size == FREE:
        bounds = [node.feed_shapes(size) for size in ((16, 16), (32, 48), (64, 96))]
        profile = {name: [shapes[name] for shapes in bounds] for name in bounds[0]}
    engine = build_engine(trt, node.model(), (75, 89), profile)
    for target in (75, 89):
        assert FIELD % target in engine
    assert kernel.ptx in engine
    (problem,) = {problem for problem, _ in quick}
    assert problem == Problem(
        channels=4,
        c_out=8,
        kernel=node.kernel,
        strides=node.strides,
        pads=(node.kernel[0] // 2, node.kernel[1] // 2) * 2,
        offset_group=node.offset_group,
        mask="logits" if node.mask == "packed" else node.mask,
        packed=node.mask == "packed",
        dtype="fp32" if node.element == TensorProto.FLOAT else "fp16",
    )


def test_what_the_compiler_makes_is_what_the_engine_carries(trt, kernel):
    register(trt, (89,))
    node = NodeModel(kernel=(1, 1), channels=1, c_out=1, offset_group=1)
    assert kernel.to_bytes() in build_engine(trt, node.model())


def test_nodes_that_compute_the_same_are_compiled_once(trt, monkeypatch, kernel):
    compiled = []
    monkeypatch.setattr(
        "plugins.deform_conv.compiler.compile_kernel", lambda *arguments: compiled.append(arguments) or kernel
    )
    monkeypatch.setattr(tensorrt_plugin, "_compiled", functools.cache(tensorrt_plugin._compiled.__wrapped__))
    configured(trt), configured(trt)
    assert compiled == [(SAME, 89)]


def test_registering_again_changes_the_targets_alone(trt, quick):
    first = creator_of(trt)
    register(trt, (75,))
    register(trt, (86, 120, 86))
    assert trt.get_plugin_registry().get_creator("DeformConv", "1", "") is first
    declared = fields(trt, pads=[1] * 4, offset_group=4)
    plugin = first.create_plugin("node", declared.collection, trt.TensorRTPhase.BUILD)
    plugin.configure_plugin(described(trt), [])
    assert [target for _, target in quick] == [86, 120]


@pytest.mark.parametrize(
    "package, install", [("triton", "pip install triton"), ("cuda.bindings", "pip install cuda-python")]
)
def test_a_missing_package_is_told_with_the_command(monkeypatch, kernel, package, install):
    monkeypatch.setitem(sys.modules, package, None)
    for module in ("compiler", "launcher"):
        monkeypatch.delitem(sys.modules, f"plugins.deform_conv.{module}", raising=False)
    with pytest.raises(BackendError, match=rf"{package} is not installed.*\nInstall it:  {install}"):
        if package == "triton":
            tensorrt_plugin._compiled.__wrapped__(SMALLEST, 89)
        else:
            tensorrt_plugin._launcher([kernel])


def test_each_module_has_creators_of_its_own(trt):
    creators = {}
    registry = SimpleNamespace(register_creator=lambda creator, space: not creators.update({creator.name: creator}))
    other = SimpleNamespace(**vars(trt))
    other.get_plugin_registry = lambda: registry
    other = type("Module", (), {**vars(other), "__hash__": object.__hash__})
    register(trt, (89,))
    register(other, (89,))
    register(other, (89,))
    assert set(creators) == {"DeformConv", "CvqeDeformConv"}
    assert creators["DeformConv"] is not creator_of(trt)


def test_a_foreign_plugin_of_the_same_name_is_not_overwritten(trt):
    other = type("Module", (), {**vars(trt), "__hash__": object.__hash__})
    other.get_plugin_registry = staticmethod(lambda: SimpleNamespace(register_creator=lambda *_: False))
    with pytest.raises(BackendError, match="another plugin named DeformConv"):
        register(other)


def test_an_engines_fields_are_enough_to_run(trt, quick, monkeypatch):
    monkeypatch.setattr(tensorrt_plugin, "_launcher", FakeLauncher)
    built = configured(trt)
    attached = running(trt, built).clone().attach_to_context(None)
    assert attached.kernels == built.kernels
    assert attached.launcher.n_loads == 1
    descriptions = [one.desc for one in described(trt)]
    output = SimpleNamespace(dims=(1, 8, 32, 48))
    attached.on_shape_change(descriptions, [output])
    n_loads = attached.launcher.n_loads
    attached.enqueue(descriptions, [output], [1, 2, 3, 4], [5], 0, 77)
    assert attached.launcher.launches == [(77, [1, 2, 3, 4, 5], [*SHAPES, (1, 8, 32, 48)])]
    assert attached.launcher.n_loads == n_loads  # enqueue may be recorded into a graph


def test_an_engines_plugin_keeps_its_kernels_when_it_is_configured(trt, quick):
    plugin = running(trt, configured(trt))
    kernels, half = plugin.kernels, trt.DataType.HALF
    plugin.configure_plugin(described(trt), [])
    assert plugin.kernels == kernels
    assert plugin.get_output_data_types([half] * 4) == [half]


def test_contexts_share_no_launcher(trt, quick, monkeypatch):
    monkeypatch.setattr(tensorrt_plugin, "_launcher", FakeLauncher)
    plugin = running(trt, configured(trt))
    first, second = plugin.attach_to_context(None), plugin.attach_to_context(None)
    assert first.launcher is not second.launcher
    assert plugin.launcher is None


def test_a_plugin_can_run_while_the_engine_is_built(trt, quick, monkeypatch):
    """TensorRT times it on the device."""
    monkeypatch.setattr(tensorrt_plugin, "_launcher", FakeLauncher)
    plugin = configured(trt)
    descriptions = [one.desc for one in described(trt)]
    plugin.on_shape_change(descriptions, [SimpleNamespace(dims=(1, 8, 32, 48))])
    plugin.enqueue(descriptions, [SimpleNamespace(dims=(1, 8, 32, 48))], [1, 2, 3, 4], [5], 0, 7)
    assert len(plugin.launcher.launches) == 1


def test_sizes_of_a_run_that_do_not_fit_are_refused(trt, quick, monkeypatch):
    monkeypatch.setattr(tensorrt_plugin, "_launcher", FakeLauncher)
    plugin = running(trt, configured(trt))
    wrong = [one.desc for one in described(trt, (*SHAPES[:2], (1, 72, 32, 47), SHAPES[3]))]
    with pytest.raises(ShapeError, match=r"node node: offset is \[1, 72, 32, 47\], not \[1, 72, 32, 48\]"):
        plugin.on_shape_change(wrong, [])
    assert isinstance(take_error(), ShapeError)


def test_a_kernel_that_does_not_load_is_told_and_ends_no_process(trt, quick, monkeypatch):
    def refuse(kernels):
        raise BackendError("the driver is too old")

    monkeypatch.setattr(tensorrt_plugin, "_launcher", refuse)
    attached = running(trt, configured(trt)).attach_to_context(None)
    assert "the driver is too old" in str(take_error())
    with pytest.raises(BackendError, match="the driver is too old"):
        attached.on_shape_change([one.desc for one in described(trt)], [])
    assert isinstance(take_error(), BackendError)


def test_an_engine_without_a_kernel_is_refused(trt):
    with pytest.raises(ModelError, match="carries no DeformConv kernel; build it again"):
        creator_of(trt).create_plugin("node", fields(trt, pads=[1] * 4).collection, trt.TensorRTPhase.RUNTIME)
    assert isinstance(take_error(), ModelError)


def test_a_damaged_kernel_is_refused(trt, quick):
    stored = arrays_of(trt, configured(trt).get_fields_to_serialize())
    damaged = Fields(trt, {name: array[:-5] for name, array in stored.items()}, trt.PluginFieldType.CHAR)
    with pytest.raises(ModelError):
        creator_of(trt).create_plugin("node", damaged.collection, trt.TensorRTPhase.RUNTIME)
    assert isinstance(take_error(), ModelError)


def test_running_needs_no_triton_and_building_no_cuda(trt, kernel, tmp_path):
    (tmp_path / "kernel").write_bytes(kernel.to_bytes())
    code = f"""
import sys
sys.modules["triton"] = None
import numpy as np
from pathlib import Path
from plugins.tensorrt_modules import load_tensorrt
from plugins.deform_conv.tensorrt_plugin import register
trt = load_tensorrt("tensorrt-rtx")
register(trt)
creator = trt.get_plugin_registry().get_creator("DeformConv", "1", "")
data = np.frombuffer(Path({str(tmp_path / "kernel")!r}).read_bytes(), np.uint8)
field = trt.PluginField("cvqe_kernel_sm89", data, trt.PluginFieldType.CHAR)
plugin = creator.create_plugin("node", trt.PluginFieldCollection([field]), trt.TensorRTPhase.RUNTIME)
assert "cuda.bindings" not in sys.modules
attached = plugin.attach_to_context(None)
print(len(attached.kernels), "torch" in sys.modules)
"""
    run = run_python(code)
    assert (run.returncode, run.stdout) == (0, "1 False\n"), run.stderr


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


REFUSED = {
    "NodeModel(element=TensorProto.BFLOAT16)": "ModelError: node /align/deform_conv: its inputs are BF16",
    "NodeModel(offset_element=TensorProto.FLOAT)": "node /align/deform_conv: its inputs are of several types",
    "NodeModel(has_bias=False)": "ModelError: node /align/deform_conv: it has 3 inputs",
    "NodeModel(has_bias=False, mask='values')": "a node with a mask needs a bias",
    "NodeModel(attributes=(('group', 1.0),))": "ModelError: node /align/deform_conv: attribute group is [1.0]",
    "NodeModel(attributes=(('pads', (0, 0, 0, 0)),))": "ShapeError: node /align/deform_conv: offset is [1, 72, 32, 48]",
    "NodeModel(attributes=(('group', 3),))": "ShapeError: node /align/deform_conv: 4 channels in",
}


@pytest.mark.parametrize("node", REFUSED)
def test_what_can_not_be_built_is_told_to_the_user(node):
    """In processes of their own: TensorRT's way of failing is not always an orderly one."""
    run = run_python(f"""
from onnx import TensorProto
from plugins.deform_conv.callback_errors import take_error
from plugins.deform_conv.tensorrt_plugin import register
from plugins.tensorrt_modules import load_tensorrt
from tests.plugins.deform_conv.node_models import NodeModel, build_engine
trt = load_tensorrt("tensorrt-rtx")
register(trt, (89,))
try:
    build_engine(trt, {node}.model())
except RuntimeError:
    error = take_error()
    print(f"{{type(error).__name__}}: {{error}}")
""")
    assert REFUSED[node] in run.stdout, run.stderr
    assert run.returncode == 0
