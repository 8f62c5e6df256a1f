"""The GPU's backends against ONNX Runtime on the CPU; without a GPU, what they say and what they make of an engine."""

from pathlib import Path

import numpy as np
import pytest

from cvqe.errors import BackendError
from cvqe.metrics import psnr_db
from export.verify import made_up_window
from runtime.backend_list import BACKENDS, installed_version
from runtime.engine import EngineRequest, open_engine
from runtime.gpu_presence import gpu_obstacle
from runtime.model_file import find_model
from runtime.slots import RingLayout

GPU_BACKENDS = [name for name, backend in BACKENDS.items() if backend.needs_gpu]
# the same weights in half precision, rounded to whole levels both: half a level apart everywhere is 54 dB
FP16_PSNR_DB = 50.0


@pytest.mark.gpu
@pytest.mark.skipif(gpu_obstacle() is not None, reason=str(gpu_obstacle()))
@pytest.mark.parametrize("backend", GPU_BACKENDS)
@pytest.mark.parametrize("size", [(64, 96), (33, 47)])  # 33 x 47 bytes are no multiple of 256
def test_a_gpu_enhances_as_the_cpu_does(backend, size):
    if installed_version(backend) is None:
        pytest.skip(f"{backend} is not installed")
    request = EngineRequest(find_model("live"), *size)
    window = made_up_window(7, size, 255)[1].astype(np.uint8)
    expected = open_engine(request, "onnxruntime").engine.enhance(window, 32.0).luma
    try:
        engine = open_engine(request, backend).engine
    except BackendError as error:
        if "is at hand" in str(error):
            pytest.skip(f"no engine was built for this test: {error}")
        raise
    assert psnr_db(expected, engine.enhance(window, 32.0).luma) > FP16_PSNR_DB
    slots = engine.open_slots(RingLayout(3, ahead=1))
    for place, frame in enumerate(window):
        slots.write(place, frame)
    by_ring = engine.submit(slots.window(0), 32.0).result()
    assert by_ring.is_finite
    np.testing.assert_array_equal(by_ring.luma, engine.enhance(window, 32.0).luma)


@pytest.mark.skipif(gpu_obstacle() is None, reason="a GPU is here")
@pytest.mark.skipif(installed_version("tensorrt-rtx") is None, reason="TensorRT-RTX is not installed")
def test_an_engine_without_a_gpu_fails_in_tensorrts_own_words(tmp_path):
    from export.build_engine import main
    from plugins.deform_conv.tensorrt_plugin import register
    from plugins.tensorrt_modules import load_tensorrt
    from runtime.backends.tensorrt_gpu import TensorRtNetwork
    from runtime.engine_file import load_engine_file

    path = tmp_path / "live.engine"
    weights = Path(__file__).resolve().parents[3] / "weights" / "live.onnx"
    flags = [f"--onnx={weights}", f"--saveEngine={path}", "--shapes=window:1x7x64x96", "--library=tensorrt-rtx"]
    assert main([*flags, "--computeCapabilities=8.9"]) == 0
    trt = load_tensorrt("tensorrt-rtx")
    register(trt)
    with pytest.raises(BackendError, match=r"live\.engine does not load: .+"):
        TensorRtNetwork(trt, "tensorrt-rtx", load_engine_file(path), EngineRequest(find_model("live"), 64, 96))
