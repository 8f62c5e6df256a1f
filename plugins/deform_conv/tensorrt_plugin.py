"""The TensorRT plugin, IPluginV3 in Python: shapes, types, fields, launch; the maths is in `kernel.py`.

    build     create(attributes) -> types -> shapes -> configure: Problem -> PTX per target -> fields, into the engine
    run       create(fields) -> attach, shapes: Launcher, module loaded -> enqueue: launch(stream, pointers, shapes)

It answers to "DeformConv", the standard's operation, for which TensorRT asks it in place of its own importer under
OnnxParserFlag.ENABLE_PLUGIN_OVERRIDE, and to "CvqeDeformConv" of domain cvqe. Only building needs Triton, only running
needs cuda.bindings. What a callback raises does not come out of TensorRT: ask `callback_errors.take_error()`.
"""

import functools
import logging
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cvqe.errors import BackendError, ModelError
from plugins.deform_conv.callback_errors import keep_error, keeping_errors
from plugins.deform_conv.compiled_kernel import CompiledKernel
from plugins.deform_conv.current_device import current_compute_capability
from plugins.deform_conv.field_memory import arrays_of
from plugins.deform_conv.plugin_fields import Fields, declared_fields, kernel_fields, kernels_from_arrays
from plugins.deform_conv.plugin_node import (
    CUSTOM_ATTRIBUTES,
    STANDARD_ATTRIBUTES,
    UNKNOWN,
    NodeAttributes,
    attributes_from_arrays,
    check_sizes,
    dtype_of_node,
    problem_of_node,
)
from plugins.deform_conv.problem import Problem

if TYPE_CHECKING:
    from plugins.deform_conv.launcher import Launcher

log = logging.getLogger(__name__)
OPERATIONS = {"DeformConv": STANDARD_ATTRIBUTES, "CvqeDeformConv": CUSTOM_ATTRIBUTES}
VERSION, NAMESPACE = "1", ""


def register(trt: ModuleType, targets: Sequence[int] = ()) -> None:
    """Register the plugin's creators; registering again only changes the targets.

    Args:
        trt: the module `tensorrt` or `tensorrt_rtx`, of `load_tensorrt`.
        targets: compute capabilities, such as 89, that engines built from now on carry PTX for; none: that of the
            device that is current at build time. Running an engine takes no targets.

    Raises:
        BackendError: a plugin of the same name that is not ours is registered.
    """
    registration = _registration(trt)
    registration.targets = tuple(dict.fromkeys(targets))
    registration.register()


class _Registration:
    """The creators of one module, which must outlive every engine, and what they have in common."""

    def __init__(self, trt: ModuleType) -> None:
        self.targets: tuple[int, ...] = ()
        self._registry = trt.get_plugin_registry()
        creator_class = _creator_class(trt)
        self._creators = {name: creator_class(name, self) for name in OPERATIONS}
        self._registered: set[str] = set()

    def register(self) -> None:
        for name, creator in self._creators.items():
            if name in self._registered:
                continue
            if not self._registry.register_creator(creator, NAMESPACE):
                raise BackendError(
                    f"another plugin named {name}, version {VERSION}, is registered with TensorRT already; "
                    "start a process that does not load it."
                )
            self._registered.add(name)


@functools.cache
def _registration(trt: ModuleType) -> _Registration:
    return _Registration(trt)


@functools.cache
def _compiled(problem: Problem, compute_capability: int) -> CompiledKernel:
    """Compile once for all nodes of a process that compute the same; here alone Triton is imported."""
    try:
        from plugins.deform_conv.compiler import compile_kernel
    except ModuleNotFoundError as error:
        raise BackendError(
            f"{error.name} is not installed, and the DeformConv kernel is compiled with it.\n"
            "Install it:  pip install triton"
        ) from error
    log.info("compiling %s for compute capability %d", problem, compute_capability)
    return compile_kernel(problem, compute_capability)


def _launcher(kernels: Sequence[CompiledKernel]) -> "Launcher":
    try:
        from plugins.deform_conv.launcher import Launcher
    except ModuleNotFoundError as error:
        raise BackendError(
            f"{error.name} is not installed, and the DeformConv kernel is launched through it.\n"
            "Install it:  pip install cuda-python"
        ) from error
    return Launcher(kernels)


@functools.cache
def _plugin_class(trt: ModuleType) -> type:
    """Make the plugin's class; each of the two modules has base classes of its own."""
    bases = (trt.IPluginV3, trt.IPluginV3OneCore, trt.IPluginV3OneBuild, trt.IPluginV3OneRuntime)

    class DeformConvPlugin(*bases):  # type: ignore[misc]
        """One node: before configure_plugin its attributes, afterwards and in an engine its kernels."""

        def __init__(self, operation: str, node: str) -> None:
            for base in bases:
                base.__init__(self)
            self.plugin_name, self.plugin_version, self.plugin_namespace = operation, VERSION, NAMESPACE
            self.num_outputs = 1
            self.operation, self.node = operation, node
            self.registration: _Registration | None = None  # None in an engine, which has its kernels
            self.attributes = NodeAttributes()
            self.kernels: tuple[CompiledKernel, ...] = ()
            self.launcher: Launcher | None = None
            self.fields: Fields | None = None

        def get_capability_interface(self, _kind: Any) -> Any:
            return self

        def clone(self) -> Any:  # an exception here would end the process
            copy = DeformConvPlugin(self.operation, self.node)
            copy.__dict__.update(self.__dict__)
            return copy

        @keeping_errors
        def get_output_data_types(self, types: Sequence[Any]) -> list[Any]:
            if self.registration is not None:
                dtype_of_node(self.attributes, [kind.name for kind in types])
            return [types[0]]

        @keeping_errors
        def get_output_shapes(self, inputs: Sequence[Any], _shape_inputs: Sequence[Any], _builder: Any) -> list[Any]:
            if self.registration is not None:  # what the type is makes no difference to shapes
                problem_of_node(self.attributes, "fp32", [_shape_of_expressions(shape) for shape in inputs])
            output = trt.DimsExprs(4)
            output[0], output[1], output[2], output[3] = inputs[0][0], inputs[1][0], inputs[2][2], inputs[2][3]
            return [output]

        @keeping_errors
        def supports_format_combination(self, position: int, tensors: Sequence[Any], _n_inputs: int) -> bool:
            # what stands after `position` is not filled in yet
            tensor, first = tensors[position].desc, tensors[0].desc
            is_known = first.type in (trt.DataType.HALF, trt.DataType.FLOAT)
            return bool(is_known and tensor.type == first.type and tensor.format == trt.TensorFormat.LINEAR)

        @keeping_errors
        def configure_plugin(self, inputs: Sequence[Any], _outputs: Sequence[Any]) -> None:
            if self.registration is None:
                return
            dtype = dtype_of_node(self.attributes, [tensor.desc.type.name for tensor in inputs])
            problem = problem_of_node(self.attributes, dtype, [tuple(tensor.desc.dims) for tensor in inputs])
            targets = self.registration.targets or (current_compute_capability(),)
            # not in get_fields_to_serialize, whose errors TensorRT takes for an empty answer
            self.kernels = tuple(_compiled(problem, target) for target in targets)
            self.launcher = None

        def get_workspace_size(self, _inputs: Sequence[Any], _outputs: Sequence[Any]) -> int:
            return 0

        def get_valid_tactics(self) -> list[int]:
            return []

        def set_tactic(self, _tactic: int) -> None:
            pass

        @keeping_errors
        def get_fields_to_serialize(self) -> Any:
            self.fields = kernel_fields(trt, self.kernels)
            return self.fields.collection

        def attach_to_context(self, _context: Any) -> Any:
            attached = self.clone()
            try:
                attached.load()
            except Exception as error:  # an exception here would end the process; on_shape_change tries again
                keep_error(error, self.node)
            return attached

        @keeping_errors
        def on_shape_change(self, inputs: Sequence[Any], _outputs: Sequence[Any]) -> None:
            self.load()
            check_sizes(self.kernels[0].problem, [tuple(tensor.dims) for tensor in inputs])

        def load(self) -> None:
            """Load the kernel's module, outside of enqueue, which may be recorded into a CUDA graph."""
            if not self.kernels:
                raise ModelError("it has no kernel; the engine is to be built again.")
            if self.launcher is None:
                self.launcher = _launcher(self.kernels)
            self.launcher.load()

        @keeping_errors
        def enqueue(
            self,
            input_descs: Sequence[Any],
            output_descs: Sequence[Any],
            inputs: Sequence[int],
            outputs: Sequence[int],
            _workspace: int,
            stream: int,
        ) -> None:
            assert self.launcher is not None, "on_shape_change comes first"
            shapes = [tuple(tensor.dims) for tensor in (*input_descs, *output_descs)]
            self.launcher.launch(stream, [*inputs, *outputs], shapes)

    return DeformConvPlugin


@functools.cache
def _creator_class(trt: ModuleType) -> type:
    base = trt.IPluginCreatorV3One
    plugin_class = _plugin_class(trt)

    class DeformConvCreator(base):  # type: ignore[misc, valid-type]
        """Makes plugins of one name: from a node's attributes to build, from an engine's fields to run."""

        def __init__(self, operation: str, registration: _Registration) -> None:
            base.__init__(self)
            self.name, self.plugin_version, self.plugin_namespace = operation, VERSION, NAMESPACE
            self.registration = registration
            self.node = ""  # the last one made
            self.declared = declared_fields(trt, OPERATIONS[operation])
            self.field_names = self.declared.collection

        @keeping_errors
        def create_plugin(self, node: str, fields: Any, phase: Any) -> Any:
            self.node = node
            plugin = plugin_class(self.name, node)
            arrays = arrays_of(trt, fields)
            if phase == trt.TensorRTPhase.BUILD:
                plugin.registration = self.registration
                plugin.attributes = attributes_from_arrays(arrays)
            else:
                plugin.kernels = kernels_from_arrays(arrays)
            return plugin

    return DeformConvCreator


def _shape_of_expressions(sizes: Sequence[Any]) -> tuple[int, ...]:
    return tuple(size.get_constant_value() if size.is_constant() else UNKNOWN for size in sizes)
