import numpy as np
import pytest
from onnx import TensorProto

from cvqe.errors import BackendError
from plugins.deform_conv.callback_errors import take_error
from plugins.deform_conv.reference import deform_conv
from plugins.deform_conv.tensorrt_plugin import register
from plugins.tensorrt_modules import compute_capabilities, load_tensorrt
from runtime.cuda.driver import open_cuda
from tests.plugins.deform_conv.node_models import FREE, NUMPY, NodeModel, build_engine

pytestmark = pytest.mark.gpu
SIZE = (37, 1301)  # no tile divides it, and half a coordinate would be off by 0.5 px at its end
ALIGNED = (40, 1304)  # a plane that 8 divides, as videos have: the kernel's other entry point
# outputs stay below 8, where fp16 moves in steps of 2^-8; samples are rounded to fp16 before they are summed in fp32
ATOL = {TensorProto.FLOAT16: 2**-7, TensorProto.FLOAT: 1e-4}


@pytest.fixture(scope="module")
def cuda():
    try:
        opened = open_cuda()
    except BackendError as error:
        pytest.skip(f"no CUDA device: {error}")
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=["tensorrt", "tensorrt-rtx"])
def library(request, cuda):
    """Return the module and the targets to build for; TensorRT builds for the device it runs on."""
    try:
        trt = load_tensorrt(request.param)
    except BackendError as error:
        pytest.skip(str(error))
    targets = compute_capabilities(trt)
    if targets and cuda.device.compute_capability not in targets:
        pytest.skip(f"TensorRT-RTX does not build for {cuda.device.name}")
    return trt, (cuda.device.compute_capability,) if targets else ()


def feeds_of(node, rng):
    feeds = {}
    for name, shape in node.feed_shapes(SIZE if node.size == FREE else node.size).items():
        feeds[name] = rng.normal(scale=3.0 if name == "offset" else 1.0, size=shape).astype(NUMPY[node.element])
    if node.mask == "values":
        feeds["mask"] = rng.random(feeds["mask"].shape).astype(NUMPY[node.element])
    return feeds


def expected(node, feeds):
    """Return the equation's result for the inputs as they are rounded, in float64."""
    exact = {name: value.astype(np.float64) for name, value in feeds.items()}
    weights = node.weights(np.random.default_rng(0))
    exact |= {name: value.astype(NUMPY[node.element]).astype(np.float64) for name, value in weights.items()}
    if node.mask == "packed":
        n_offsets = exact["offset"].shape[1] // 3 * 2
        exact["offset"], exact["mask"] = np.split(exact["offset"], [n_offsets], axis=1)
    if node.mask in ("packed", "logits"):
        exact["mask"] = 1 / (1 + np.exp(-exact["mask"]))
    pads = (node.kernel[0] // 2, node.kernel[1] // 2) * 2
    return deform_conv(**exact, pads=pads, strides=node.strides, offset_group=node.offset_group)


class Run:
    """An execution context with buffers, filled once."""

    def __init__(self, trt, cuda, engine, feeds, output):
        self.cuda, self.stream, self.output = cuda, cuda.create_stream(), output
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        assert self._engine is not None, take_error()
        self.context = self._engine.create_execution_context()
        for name, value in feeds.items():
            assert self.context.set_input_shape(name, value.shape)
            self.context.set_tensor_address(name, self._sent(value))
        self.address = cuda.allocate(output.nbytes)
        self.context.set_tensor_address("y", self.address)

    def _sent(self, value):
        pinned = self.cuda.allocate_pinned(value.nbytes)
        pinned.view(0, value.shape, value.dtype)[:] = value
        address = self.cuda.allocate(value.nbytes)
        self.cuda.copy_to_device(address, pinned.address, value.nbytes, self.stream)
        self.cuda.synchronize_stream(self.stream)
        return address

    def execute(self):
        assert self.context.execute_async_v3(self.stream), take_error()

    def result(self, work):
        """Do the work over an output full of NaN and return what it holds then."""
        self.cuda.fill(self.address, 0xFF, self.output.nbytes, self.stream)
        work()
        pinned = self.cuda.allocate_pinned(self.output.nbytes)
        self.cuda.copy_to_host(pinned.address, self.address, self.output.nbytes, self.stream)
        self.cuda.synchronize_stream(self.stream)
        return pinned.view(0, self.output.shape, self.output.dtype).copy()


@pytest.mark.parametrize(
    "node",
    [
        NodeModel(kernel=(1, 1), size=FREE),
        NodeModel(kernel=(3, 3), mask="values", size=SIZE),
        NodeModel(kernel=(5, 5), mask="values", size=FREE, element=TensorProto.FLOAT),
        NodeModel(kernel=(3, 3), mask="logits", size=SIZE, strides=(2, 2)),
        NodeModel(kernel=(5, 5), mask="packed", size=FREE),
        NodeModel(kernel=(3, 3), mask="values", size=ALIGNED),
        NodeModel(kernel=(5, 5), mask="packed", size=ALIGNED),
    ],
    ids=lambda node: f"{node.kernel[0]}x{node.kernel[1]}-{node.mask}-{node.size[0]}",
)
def test_an_engine_computes_the_equation_also_from_a_graph(library, cuda, node):
    trt, targets = library
    register(trt, targets)
    feeds = feeds_of(node, np.random.default_rng(1))
    profile = None
    if node.size == FREE:
        bounds = [node.feed_shapes(size) for size in ((16, 16), SIZE, (64, 1920))]
        profile = {name: [shapes[name] for shapes in bounds] for name in bounds[0]}
    engine = build_engine(trt, node.model(), targets, profile)
    right = expected(node, feeds)
    run = Run(trt, cuda, engine, feeds, np.empty(right.shape, NUMPY[node.element]))
    np.testing.assert_allclose(run.result(run.execute), right, atol=ATOL[node.element], rtol=0)
    graph = cuda.capture(run.stream, run.execute)
    replayed = run.result(lambda: cuda.launch(graph, run.stream))
    np.testing.assert_allclose(replayed, right, atol=ATOL[node.element], rtol=0)
    assert take_error() is None
