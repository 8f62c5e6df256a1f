"""The whole pipeline with real files; engines that are slow, broken or watchful are made here."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cvqe.errors import CvqeError
from runtime.decoder import open_source
from runtime.encoder import open_sink
from runtime.encoder_settings import EncoderOptions
from runtime.engine import Enhanced
from runtime.pipeline import Pipeline
from runtime.slots import HostSlots, RingLayout
from tests.media import frames_of, make_video
from tests.scenes import draw_scenes

LOSSLESS = EncoderOptions(encoder="ffv1")
N_FRAMES = 23
SIZE = (32, 16)


class WatchfulEngine:
    """Gives the target back and keeps what every window held."""

    backend, precision, device = "test", "fp32", "CPU"

    def __init__(self, radius: int, delay_s: float = 0.0, fails_at: int | None = None, broken: tuple[int, ...] = ()):
        self.radius, self.delay_s, self.fails_at, self.broken = radius, delay_s, fails_at, broken
        self.windows: list[np.ndarray] = []
        self.qps: list[float | None] = []
        self.guides: list[np.ndarray | None] = []
        self.resets: list[int] = []  # numbers of the windows before which it was asked to forget

    def enhance(self, frames: np.ndarray, qp: float | None = None, guide: np.ndarray | None = None) -> Enhanced:
        number = len(self.windows)
        time.sleep(self.delay_s)
        if number == self.fails_at:
            raise CvqeError("the engine broke down.")
        self.windows.append(frames.copy())
        self.qps.append(qp)
        self.guides.append(guide)
        if number in self.broken:
            return Enhanced(np.zeros_like(frames[self.radius]), is_finite=False)
        return Enhanced(frames[self.radius].copy(), is_finite=True)

    def reset(self) -> None:
        self.resets.append(len(self.windows))


def run(source: Path, output: Path, engine: WatchfulEngine, ahead: int = 1, by_scene: bool = True) -> Pipeline:
    with open_source(source) as opened, open_sink(output, opened, LOSSLESS) as sink:
        pipeline = Pipeline(opened, engine, sink, RingLayout(engine.radius, ahead), by_scene=by_scene)
        pipeline.run()
        sink.close()
    return pipeline


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pipeline") / "in.mkv"
    make_video(path, frames=N_FRAMES, size=SIZE, codec="ffv1")
    return path


@pytest.mark.parametrize("ahead", [1, 4])
@pytest.mark.parametrize("delay_s", [0.0, 0.02])  # slower than decoding: every channel and the ring run full
def test_every_window_holds_the_frames_around_its_target(video, tmp_path, delay_s, ahead):
    engine = WatchfulEngine(radius=3, delay_s=delay_s)
    run(video, tmp_path / "out.mkv", engine, ahead)
    lumas = [np.frombuffer(shown.planes[0], np.uint8).reshape(SIZE[::-1]) for shown in frames_of(video)]
    assert len(engine.windows) == N_FRAMES
    for number, window in enumerate(engine.windows):
        neighbors = [lumas[min(max(number + d, 0), N_FRAMES - 1)] for d in range(-3, 4)]
        np.testing.assert_array_equal(window, neighbors)


def test_a_lossless_run_gives_every_frame_back_with_its_pts_and_planes(video, tmp_path):
    run(video, tmp_path / "out.mkv", WatchfulEngine(radius=2))
    assert frames_of(tmp_path / "out.mkv") == frames_of(video)


@pytest.mark.parametrize("by_scene", [True, False])
def test_no_window_reaches_across_a_cut_unless_asked_to(tmp_path, by_scene):
    lengths = (6, 1, 5)
    draw = draw_scenes(lengths)
    source = make_video(tmp_path / "in.mkv", frames=12, size=(160, 90), codec="ffv1", draw=draw)
    engine = WatchfulEngine(radius=2)
    pipeline = run(source, tmp_path / "out.mkv", engine, by_scene=by_scene)
    lumas = [np.frombuffer(shown.planes[0], np.uint8).reshape(90, 160) for shown in frames_of(source)]
    starts = [0, 6, 7, 12] if by_scene else [0, 12]
    assert engine.resets == starts[:-1]
    for number, window in enumerate(engine.windows):
        first, last = next((a, b - 1) for a, b in pairwise(starts) if a <= number < b)
        np.testing.assert_array_equal(window, [lumas[min(max(number + d, first), last)] for d in range(-2, 3)])
    assert pipeline.progress.n_scene_cuts == (2 if by_scene else 0)
    assert frames_of(tmp_path / "out.mkv") == frames_of(source)


def test_the_engine_is_told_the_qp_of_each_windows_target(tmp_path):
    qps = [24 + 5 * number % 17 for number in range(12)]
    zones = "/".join(f"{number},{number},q={qp}" for number, qp in enumerate(qps, start=1))
    params = f"log-level=none:qp=30:bframes=0:ipratio=1:aq-mode=0:cutree=0:zones={zones}"
    make_video(tmp_path / "in.mkv", frames=12, codec="libx265", options={"x265-params": params})
    engine = WatchfulEngine(radius=3)
    run(tmp_path / "in.mkv", tmp_path / "out.mkv", engine, ahead=2)
    assert engine.qps == qps


@pytest.mark.parametrize("n_frames", [1, 2, 3, 7])  # shorter than a window
def test_clips_shorter_than_a_window_come_out_whole(tmp_path, n_frames):
    make_video(tmp_path / "in.mkv", frames=n_frames, size=SIZE, codec="ffv1")
    run(tmp_path / "in.mkv", tmp_path / "out.mkv", WatchfulEngine(radius=3))
    assert frames_of(tmp_path / "out.mkv") == frames_of(tmp_path / "in.mkv")


def test_an_engine_error_ends_every_stage_and_leaves_no_file(video, tmp_path):
    with pytest.raises(CvqeError, match="broke down"):
        run(video, tmp_path / "out.mkv", WatchfulEngine(radius=3, fails_at=5))
    assert list(tmp_path.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cvqe-")]


def test_a_frame_that_is_not_finite_falls_back_to_the_decoded_one_and_is_counted(video, tmp_path):
    engine = WatchfulEngine(radius=1, broken=(4, 9))
    pipeline = run(video, tmp_path / "out.mkv", engine)
    assert pipeline.progress.n_fallen_back == 2
    # a state that is no number any more is forgotten, as soon as it is known
    assert engine.resets[0] == 0
    assert any(4 < number <= 9 for number in engine.resets)
    assert frames_of(tmp_path / "out.mkv") == frames_of(video)


class SlowSink:
    """Takes its time, as an encoder does."""

    n_found = 0

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s

    def write_frame(self, picture: object, is_fallen_back: bool) -> None:
        time.sleep(self.delay_s)


def test_the_stages_work_at_the_same_time(video):
    start = time.perf_counter()
    with open_source(video) as opened:
        pipeline = Pipeline(opened, WatchfulEngine(radius=1, delay_s=0.03), SlowSink(0.03), RingLayout(1, 1))
        pipeline.run()
    elapsed_s = time.perf_counter() - start
    busy_s = pipeline.progress.busy_s
    assert set(busy_s) == {"decode", "cuts", "upload", "compute", "download", "encode"}
    assert busy_s["compute"] >= N_FRAMES * 0.03
    assert busy_s["encode"] >= N_FRAMES * 0.03
    assert elapsed_s < 0.85 * (busy_s["compute"] + busy_s["encode"])  # one after the other it would be the sum


def test_a_backend_that_breaks_down_is_one_sentence(video, tmp_path):
    engine = WatchfulEngine(radius=1)
    engine.enhance = lambda frames, qp, guide: (_ for _ in ()).throw(RuntimeError("bad alloc"))  # type: ignore[method-assign]
    with pytest.raises(CvqeError, match=r"test failed at frame 0 \(bad alloc\)"):
        run(video, tmp_path / "out.mkv", engine)


class SlowSlots(HostSlots):
    """Counts how often it is closed."""

    n_closed = 0

    def write(self, place: int, luma: np.ndarray) -> None:
        time.sleep(0.01)
        super().write(place, luma)

    def close(self) -> None:
        self.n_closed += 1


class Device(WatchfulEngine):
    """Computes in a thread of its own, and reads the window only at the end."""

    def __init__(self, radius: int, compute_s: float = 0.03, download_s: float = 0.02, fails_at: int | None = None):
        super().__init__(radius, compute_s, fails_at)
        self.download_s, self.n_done = download_s, 0
        self._thread = ThreadPoolExecutor(1)

    def open_slots(self, layout) -> SlowSlots:
        self.slots = SlowSlots(layout, SIZE[::-1])
        return self.slots

    def submit(self, window: np.ndarray, qp: float | None = None, guide: np.ndarray | None = None) -> "PendingOnDevice":
        return PendingOnDevice(self, self._thread.submit(self.enhance, window, qp, guide))


class PendingOnDevice:
    def __init__(self, device: Device, computed: "Future[Enhanced]") -> None:
        self._device, self._computed = device, computed

    def wait(self) -> float:
        self._computed.result()
        return self._device.delay_s

    def result(self) -> Enhanced:
        time.sleep(self._device.download_s)
        self._device.n_done += 1
        return self._computed.result()


def test_a_device_uploads_computes_and_downloads_at_the_same_time(video):
    engine, start = Device(radius=2), time.perf_counter()
    with open_source(video) as opened:
        pipeline = Pipeline(opened, engine, SlowSink(0.0), RingLayout(2, 1))
        pipeline.run()
    elapsed_s, busy_s = time.perf_counter() - start, pipeline.progress.busy_s
    assert busy_s["upload"] >= N_FRAMES * 0.01
    assert N_FRAMES * 0.03 <= busy_s["compute"] < N_FRAMES * 0.04  # what the device did, and the submitting
    assert N_FRAMES * 0.02 <= busy_s["download"] < N_FRAMES * 0.03  # without its waiting for the device
    assert elapsed_s < 0.85 * (busy_s["upload"] + busy_s["compute"] + busy_s["download"])
    assert engine.slots.n_closed == 1


def test_a_devices_results_belong_to_their_frames_though_it_reads_its_windows_late(video, tmp_path):
    run(video, tmp_path / "out.mkv", Device(radius=3, compute_s=0.002, download_s=0.0), ahead=2)
    assert frames_of(tmp_path / "out.mkv") == frames_of(video)


def test_a_device_that_breaks_down_is_one_sentence_and_its_slots_are_closed(video, tmp_path):
    engine = Device(radius=1, compute_s=0.001)
    engine.enhance = lambda frames, qp, guide: (_ for _ in ()).throw(RuntimeError("lost"))  # type: ignore[method-assign]
    with pytest.raises(CvqeError, match=r"test failed at frame 0 \(lost\)"):
        run(video, tmp_path / "out.mkv", engine)
    assert engine.slots.n_closed == 1
    assert list(tmp_path.iterdir()) == []
