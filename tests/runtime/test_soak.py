"""Long runs: nothing grows."""

import os
import threading
from pathlib import Path

import pytest

from runtime.decoder import open_source
from runtime.encoder import open_sink
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import load_model_file
from runtime.pipeline import Pipeline
from runtime.slots import RingLayout
from tests.media import make_video

N_FRAMES = 2000
WARM_UP_FRAMES = 400  # by then every queue, encoder look-ahead and allocator arena has its size
GROWTH_BYTES = 8 * 2**20  # a leaked frame of 352x288 is 150 kB: 1,600 of them would be 240 MB


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident size is read from /proc")
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_resident_memory_is_flat_over_two_thousand_frames(live_onnx, tmp_path, backend):
    source = make_video(tmp_path / "in.mkv", frames=N_FRAMES, size=(352, 288), options={"preset": "ultrafast"})
    sizes: list[int] = []
    with open_source(source) as opened, open_sink(tmp_path / "out.mkv", opened) as sink:
        engine = open_engine(EngineRequest(load_model_file(live_onnx), 288, 352), backend).engine
        pipeline = Pipeline(opened, engine, sink, RingLayout(3, ahead=1))
        pipeline.run(lambda progress: sizes.append(resident_bytes()))
        sink.close()
    assert len(sizes) == N_FRAMES
    assert max(sizes[WARM_UP_FRAMES:]) - sizes[WARM_UP_FRAMES] < GROWTH_BYTES
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cvqe-")]
