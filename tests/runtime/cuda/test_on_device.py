"""The CUDA engine with the real driver, on a real GPU."""

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from cvqe.errors import BackendError
from cvqe.neighbors import LOW_DELAY, spacing
from runtime.cuda.cuda_engine import CudaEngine
from runtime.cuda.driver import Cuda, open_cuda
from runtime.decoder import open_source
from runtime.pipeline import Pipeline
from runtime.slots import RingLayout
from tests.media import frames_of, make_video
from tests.runtime.cuda.cooperation import Collecting, OneThread
from tests.runtime.cuda.copy_network import CopyNetwork, copied
from tests.runtime.cuda.fake_network import request_for

pytestmark = pytest.mark.gpu


@pytest.fixture
def cuda() -> Iterator[Cuda]:
    try:
        device = open_cuda()
    except BackendError as error:
        pytest.skip(str(error))
    yield device
    device.close()


def windows_of(lumas, radius: int) -> list[np.ndarray]:
    return [
        np.stack([lumas[min(max(i + d, 0), len(lumas) - 1)] for d in range(-radius, radius + 1)])
        for i in range(len(lumas))
    ]


def test_a_device_tells_what_it_is(cuda):
    assert cuda.device.name
    assert 75 <= cuda.device.compute_capability < 1000
    assert cuda.memory_free_bytes() <= cuda.device.total_memory_bytes


def test_memory_is_aligned_and_too_much_of_it_is_one_sentence(cuda):
    address = cuda.allocate(1)
    assert address % 256 == 0
    cuda.free(address)
    with pytest.raises(BackendError, match="MiB are free"):
        cuda.allocate(2**50)


def test_events_tell_the_time_between_them(cuda):
    stream, start, end = cuda.create_stream(), cuda.create_event(True), cuda.create_event(True)
    address = cuda.allocate(2**26)
    cuda.record(start, stream)
    cuda.fill(address, 3, 2**26, stream)
    cuda.record(end, stream)
    cuda.synchronize_event(end)
    assert 0 < cuda.elapsed_ms(start, end) < 1000
    cuda.free(address)
    cuda.destroy_event(start)
    cuda.destroy_event(end)
    cuda.destroy_stream(stream)


@pytest.mark.parametrize("is_capturable", [True, False])
@pytest.mark.parametrize("height, width", [(96, 128), (45, 61)])  # 45x61: no multiple of 256 bytes
@pytest.mark.parametrize("bit_depth, tail", [(8, ()), (10, (2,))])
@pytest.mark.parametrize("ahead", [1, 3])
def test_every_frame_gets_its_own_result(cuda, is_capturable, height, width, bit_depth, tail, ahead):
    request = request_for(2, height, width, bit_depth)
    engine = CudaEngine(cuda, CopyNetwork(cuda, request, is_capturable), request)
    random = np.random.default_rng(0)
    lumas = [random.integers(0, 256, (height, width, *tail), np.uint8) for _ in range(40)]
    qps = [20 + 0.5 * number for number in range(40)]
    results = OneThread(engine, RingLayout(2, ahead), qps, Random(0)).run([lumas])
    for result, window, qp in zip(results, windows_of(lumas, 2), qps, strict=True):
        np.testing.assert_array_equal(result.luma, copied(window, qp))
    np.testing.assert_array_equal(engine.enhance(window, 30).luma, copied(window, 30))
    engine.close()


@pytest.mark.parametrize("is_capturable", [True, False])
@pytest.mark.parametrize("height, width", [(96, 128), (45, 61)])
def test_every_frame_gets_its_own_guide_and_every_fourth_sees_every_other_frame(cuda, is_capturable, height, width):
    request = request_for(1, height, width, takes_guide=True, neighbors=LOW_DELAY)
    engine = CudaEngine(cuda, CopyNetwork(cuda, request, is_capturable), request)
    random = np.random.default_rng(0)
    lumas = [random.integers(0, 256, (height, width), np.uint8) for _ in range(40)]
    guides = [random.random((height, width), np.float32) for _ in lumas]
    layout = RingLayout(1, 2, LOW_DELAY)
    results = OneThread(engine, layout, [30.0] * 40, Random(0), guides=guides).run([lumas])
    for number, (result, guide) in enumerate(zip(results, guides, strict=True)):
        apart = spacing(LOW_DELAY, number)
        window = np.stack([lumas[min(max(number + d, 0), 39)] for d in (-apart, 0, apart)])
        np.testing.assert_array_equal(result.luma, copied(window, 30, guide))
    engine.close()


def test_the_pipeline_in_threads_gives_every_frame_its_own_result(cuda, tmp_path):
    make_video(tmp_path / "in.mkv", frames=60, size=(320, 176), codec="ffv1")
    request, sink = request_for(3, 176, 320), Collecting()
    engine = CudaEngine(cuda, CopyNetwork(cuda, request), request)
    with open_source(tmp_path / "in.mkv") as source:
        Pipeline(source, engine, sink, RingLayout(3, ahead=2), qp_of=lambda frame: 20.0 + frame.number % 20).run()
    lumas = [np.frombuffer(shown.planes[0], np.uint8).reshape(176, 320) for shown in frames_of(tmp_path / "in.mkv")]
    wanted = [copied(window, 20.0 + number % 20) for number, window in enumerate(windows_of(lumas, 3))]
    np.testing.assert_array_equal(sink.lumas, wanted)
    engine.close()
