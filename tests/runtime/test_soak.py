"""Long runs: nothing grows."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.decoder import open_source
from runtime.destination import FileDestination
from runtime.encoder import open_sink
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import load_model_file
from runtime.pipeline import Pipeline, Progress
from runtime.resume_record import SEGMENT_FRAMES, Resuming
from runtime.slots import RingLayout
from tests.media import Extras, make_video, packets_of
from tests.oracle import times_of

N_FRAMES = 2000
WARM_UP_FRAMES = 400  # by then every queue, encoder look-ahead and allocator arena has its size
GROWTH_BYTES = 8 * 2**20  # a leaked frame of 352x288 is 150 kB: 1,600 of them would be 240 MB
MANY_FRAMES = 50_000
FAST_RATE = 500  # frames a second: what lasts 100 s needs little sound
SEEN_AT = SEGMENT_FRAMES // 2  # of every segment, when its encoder and its file are open
SMALL_GROWTH_BYTES = 6 * 2**20  # a leak of a small frame is 4.6 kB: 45,000 of them would be 200 MB

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident size is read from /proc"),
]


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Held:
    """What a process holds at a moment of its run."""

    resident_bytes: int
    n_threads: int
    n_open_files: int


def n_in(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def held() -> Held:
    return Held(resident_bytes(), n_in("/proc/self/task"), n_in("/proc/self/fd"))


def enhance(source: Path, output: Path, live_onnx: Path, backend: str, on_progress: Callable[[Progress], None]) -> None:
    destination = FileDestination(output, resuming=Resuming({"soak": 1}))
    with open_source(source) as opened, open_sink(destination, opened) as sink:
        info = opened.info
        engine = open_engine(EngineRequest(load_model_file(live_onnx), info.height, info.width), backend).engine
        Pipeline(opened, engine, sink, RingLayout(3, ahead=1)).run(on_progress)
        sink.close()


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_resident_memory_is_flat_over_two_thousand_frames(live_onnx, tmp_path, backend):
    source = make_video(tmp_path / "in.mkv", frames=N_FRAMES, size=(352, 288), options={"preset": "ultrafast"})
    sizes: list[int] = []
    enhance(source, tmp_path / "out.mkv", live_onnx, backend, lambda progress: sizes.append(resident_bytes()))
    assert len(sizes) == N_FRAMES
    assert max(sizes[WARM_UP_FRAMES:]) - sizes[WARM_UP_FRAMES] < GROWTH_BYTES
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cvqe-")]


def test_nothing_grows_over_fifty_thousand_frames_with_sound(live_onnx, tmp_path):
    source = make_video(
        tmp_path / "in.mkv",
        frames=MANY_FRAMES,
        size=(64, 48),
        rate=FAST_RATE,
        options={"preset": "ultrafast"},
        extras=Extras(),
    )
    seen: list[Held] = []

    def look(progress: Progress) -> None:
        if progress.n_written % SEGMENT_FRAMES == SEEN_AT:
            seen.append(held())

    enhance(source, tmp_path / "out.mkv", live_onnx, "openvino", look)
    settled = seen[len(seen) // 10 :]
    shares = {share: seen[len(seen) * share // 100 - 1] for share in (10, 50, 100)}
    print({f"{share} %": f"{each.resident_bytes / 2**20:.1f} MB" for share, each in shares.items()}, settled[0])
    assert max(each.resident_bytes for each in settled) - settled[0].resident_bytes < SMALL_GROWTH_BYTES
    assert len({each.n_open_files for each in settled}) == 1
    assert len({each.n_threads for each in settled[:-1]}) == 1  # at the last frames the first stages have ended
    assert times_of(tmp_path / "out.mkv") == times_of(source)
    assert len(times_of(source)) == MANY_FRAMES
    assert packets_of(tmp_path / "out.mkv", "audio") == packets_of(source, "audio")
