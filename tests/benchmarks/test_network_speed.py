import pytest
import torch

from benchmarks.network_speed import BEST, EAGER, SpeedRequest, network_speed, size_of
from cvqe.errors import BackendError, UsageError
from runtime.backend_list import installed_version
from runtime.gpu_presence import gpu_obstacle
from runtime.model_file import WEIGHTS

LIVE = WEIGHTS / "live.onnx"


@pytest.fixture(autouse=True)
def threads_of_torch():
    """Give back torch's setting, which is the whole process's."""
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)


@pytest.mark.parametrize("way, computed_by", [(EAGER, "torch eager fp32"), (BEST, "openvino ")])
def test_frames_of_a_real_network_are_timed(way, computed_by):
    speed = network_speed(SpeedRequest(LIVE, "48x32", way, threads=1, seconds=0, at_least=4))
    assert speed.computed_by.startswith(computed_by)
    package = computed_by.split()[0]
    assert speed.versions == f"{package}={torch.__version__ if way == EAGER else installed_version(package)}"
    assert len(speed.times_ms) == 4 and min(speed.times_ms) > 0
    assert speed.peak_memory_mb >= 0


@pytest.mark.skipif(gpu_obstacle() is None, reason="there is a GPU")
def test_without_a_gpu_none_can_be_asked_for():
    with pytest.raises(BackendError, match="no GPU here; choose --device cpu"):
        network_speed(SpeedRequest(LIVE, device="cuda"))


def test_a_size_is_width_times_height():
    assert size_of("1280x720") == (1280, 720)


@pytest.mark.parametrize("size", ["", "x", "720", "0x8", "8x0", "-8x8", "8x8x8", "8 x 8", "1e3x8"])
def test_anything_else_is_no_size(size):
    with pytest.raises(UsageError, match="is no size of a frame; WIDTHxHEIGHT was expected"):
        size_of(size)
