"""The CUDA engine on a simulated device that does everything as late, and in as odd an order, as CUDA allows."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvqe.errors import BackendError, ShapeError, UsageError
from cvqe.neighbors import ADJACENT, LOW_DELAY, PEAK_QUALITY, distances, offsets, reach
from runtime.cuda.cuda_engine import CudaEngine
from runtime.decoder import open_source
from runtime.pipeline import Pipeline
from runtime.slots import RingLayout
from runtime.streaming import streaming
from tests.media import frames_of, make_video
from tests.runtime.cuda.cooperation import Collecting, OneThread
from tests.runtime.cuda.fake_network import BROKEN, FakeNetwork, enhanced, recalled, request_for
from tests.runtime.cuda.simulated_driver import SimulatedCuda

ALIGNED, ODD = (16, 16), (5, 7)  # 256 bytes a frame, and a number that 256 does not divide


def engine_on(cuda: SimulatedCuda, *facts, is_capturable: bool = True, **named) -> CudaEngine:
    cuda.use()
    request = request_for(*facts, **named)
    return CudaEngine(cuda, FakeNetwork(cuda, request, is_capturable), request)


def scenes_of(lengths: list[int], shape: tuple[int, ...], seed: int = 0) -> list[list[np.ndarray]]:
    random = np.random.default_rng(seed)
    return [[random.integers(0, 256, shape, np.uint8) for _ in range(length)] for length in lengths]


def guides_of(n_frames: int, size: tuple[int, int], seed: int = 1) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.integers(0, 1024, size).astype(np.float32) / 4 for _ in range(n_frames)]


def expected(
    scenes, radius: int, qps: list[float] | None, peak: int | None, guides=None, neighbors: str = ADJACENT, coded=None
) -> list[tuple[np.ndarray, float]]:
    """Return what the network makes of every frame; `coded`: the QPs that choose its neighbors, one for each frame."""
    starts = np.cumsum([0, *map(len, scenes)]).tolist()
    targets = [(start, scene, i) for start, scene in zip(starts, scenes, strict=False) for i in range(len(scene))]
    ahead, results = reach(neighbors, radius), []
    for number, (start, scene, i) in enumerate(targets):
        around = [min(max(i + d, 0), len(scene) - 1) for d in range(-ahead, ahead + 1)]
        apart = distances(neighbors, number, [coded[start + place] if coded else None for place in around])
        window = np.stack([scene[around[ahead + offset]] for offset in offsets(radius, apart)])
        results.append(enhanced(window, qps and qps[number], peak, guides and guides[number]))
    return results


def assert_every_frame_came_back(results, wanted) -> None:
    assert len(results) == len(wanted)
    for result, (luma, mean) in zip(results, wanted, strict=True):
        np.testing.assert_array_equal(result.luma, luma)
        assert result.is_finite == np.isfinite(mean)


@given(
    seed=st.integers(0, 2**32),
    radius=st.integers(0, 3),
    ahead=st.integers(1, 4),
    size=st.sampled_from([ALIGNED, ODD, (1, 1), (16, 24)]),
    bit_depth=st.sampled_from([8, 10]),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    takes_qp=st.booleans(),
    is_capturable=st.booleans(),
)
@settings(deadline=None, max_examples=150)
def test_every_frame_gets_its_own_result(seed, radius, ahead, size, bit_depth, lengths, takes_qp, is_capturable):
    random = Random(seed)
    cuda = SimulatedCuda(random)
    engine = engine_on(cuda, radius, *size, bit_depth, takes_qp=takes_qp, is_capturable=is_capturable)
    scenes = scenes_of(lengths, engine._gpu.frame_shape)
    qps = [20.0 + 0.5 * (number % 50) for number in range(sum(lengths))]
    stream = OneThread(engine, RingLayout(radius, ahead), qps, random)
    cuda.is_frozen = True  # nothing is allocated, created or captured any more
    results = stream.run(scenes)
    peak = None if bit_depth == 8 else 1023
    assert_every_frame_came_back(results, expected(scenes, radius, qps if takes_qp else None, peak))
    engine.close()
    assert cuda.live() == []


@given(
    seed=st.integers(0, 2**32),
    radius=st.integers(0, 2),
    ahead=st.integers(1, 4),
    size=st.sampled_from([ALIGNED, ODD, (1, 1), (16, 24)]),
    bit_depth=st.sampled_from([8, 10]),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    is_capturable=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_a_hidden_state_goes_from_frame_to_frame_and_not_across_scenes(
    seed, radius, ahead, size, bit_depth, lengths, is_capturable
):
    random = Random(seed)
    cuda = SimulatedCuda(random)
    engine = engine_on(cuda, radius, *size, bit_depth, takes_qp=False, hidden_channels=2, is_capturable=is_capturable)
    scenes = scenes_of(lengths, engine._gpu.frame_shape)
    stream = OneThread(engine, RingLayout(radius, ahead), [0.0] * sum(lengths), random)
    cuda.is_frozen = True
    results = stream.run(scenes)
    alone = iter(expected(scenes, radius, None, None if bit_depth == 8 else 1023))
    wanted = []
    for scene in scenes:
        hidden = np.zeros((2, *size), np.float32)
        for luma, mean in (next(alone) for _ in scene):
            luma, hidden = recalled(luma, hidden)
            wanted.append((luma, mean))
    assert_every_frame_came_back(results, wanted)
    engine.close()
    assert cuda.live() == []


@given(
    seed=st.integers(0, 2**32),
    ahead=st.integers(1, 4),
    size=st.sampled_from([ALIGNED, ODD, (1, 1), (16, 24)]),
    bit_depth=st.sampled_from([8, 10]),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    takes_qp=st.booleans(),
    neighbors=st.sampled_from([ADJACENT, LOW_DELAY, PEAK_QUALITY]),
    is_capturable=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_every_frame_gets_its_own_guide_and_its_own_neighbors(
    seed, ahead, size, bit_depth, lengths, takes_qp, neighbors, is_capturable
):
    random = Random(seed)
    cuda = SimulatedCuda(random)
    named = {"takes_qp": takes_qp, "takes_guide": True, "neighbors": neighbors}
    engine = engine_on(cuda, 1, *size, bit_depth, is_capturable=is_capturable, **named)
    scenes, guides = scenes_of(lengths, engine._gpu.frame_shape), guides_of(sum(lengths), size)
    qps = [random.choice((20.0, 24.5, 30.0)) for _ in range(sum(lengths))]
    stream = OneThread(engine, RingLayout(1, ahead, neighbors), qps, random, guides=guides)
    cuda.is_frozen = True
    results = stream.run(scenes)
    peak = None if bit_depth == 8 else 1023
    wanted = expected(scenes, 1, qps if takes_qp else None, peak, guides, neighbors, coded=qps)
    assert_every_frame_came_back(results, wanted)
    engine.close()
    assert cuda.live() == []


def wrong_frames(seed: int, deaf_in: str | None = None, releases_early: bool = False) -> int:
    """Count the wrong results of a short stream through an engine that lacks something."""
    random = Random(seed)
    cuda = SimulatedCuda(random, deaf_in=deaf_in)
    takes_qp = deaf_in != "_compute"  # the wait for the QP, later in the same stream, would hide a missing one
    engine = engine_on(cuda, 1, *ODD, takes_qp=takes_qp)
    scenes = scenes_of([12, 3], ODD)
    qps = [20.0 + number for number in range(15)]
    results = OneThread(engine, RingLayout(1, 2), qps, random, releases_early).run(scenes)
    wanted = expected(scenes, 1, qps if takes_qp else None, None)
    engine.close()
    return sum(not np.array_equal(result.luma, luma) for result, (luma, _) in zip(results, wanted, strict=True))


@pytest.mark.parametrize("function", ["write", "_feed", "_compute", "_download", "result"])
def test_without_any_one_of_its_waits_a_wrong_frame_would_come_out(function):
    assert any(wrong_frames(seed, deaf_in=function) for seed in range(20))


def test_with_all_its_waits_none_does():
    assert not any(wrong_frames(seed) for seed in range(20))


def test_slots_released_before_their_result_was_taken_are_noticed():
    def goes_wrong(seed: int) -> bool:
        try:
            return wrong_frames(seed, releases_early=True) > 0
        except AssertionError as error:
            return "came round again" in str(error)

    assert any(goes_wrong(seed) for seed in range(20))


def test_the_network_is_called_once_to_warm_up_and_once_to_capture_then_never_again():
    cuda = SimulatedCuda(Random(1))
    engine = engine_on(cuda, 1, *ALIGNED)
    network, layout = engine._gpu.network, RingLayout(1, 2)
    stream = OneThread(engine, layout, [30.0] * 40, Random(2))
    assert network.n_launches == 2 * layout.n_slots
    stream.run(scenes_of([40], ALIGNED))
    assert network.n_launches == 2 * layout.n_slots
    assert cuda.n_launches == 40
    engine.close()


@pytest.mark.parametrize("bit_depth, tail", [(8, ()), (12, (2,))])
def test_a_single_window_is_enhanced_as_by_any_other_engine(bit_depth, tail):
    cuda = SimulatedCuda(Random(3))
    engine = engine_on(cuda, 2, *ODD, bit_depth)
    for seed in range(4):
        frames = np.random.default_rng(seed).integers(0, 256, (5, *ODD, *tail), np.uint8)
        result = engine.enhance(frames, 31.5)
        np.testing.assert_array_equal(result.luma, enhanced(frames, 31.5, 4095 if tail else None)[0])
        cuda.is_frozen = True
    engine.close()


def test_a_qp_is_needed_and_clipped_as_by_any_other_engine():
    engine = engine_on(SimulatedCuda(Random(4)), 0, *ODD)
    frames = np.ones((1, *ODD), np.uint8)
    with pytest.raises(UsageError, match="takes a QP"):
        engine.enhance(frames)
    np.testing.assert_array_equal(engine.enhance(frames, 51).luma, enhanced(frames, 45, None)[0])
    engine.close()


def test_a_guide_is_needed_and_its_size_checked_as_by_any_other_engine():
    engine = engine_on(SimulatedCuda(Random(4)), 0, *ODD, takes_qp=False, takes_guide=True)
    frames, (guide,) = np.ones((1, *ODD), np.uint8), guides_of(1, ODD)
    np.testing.assert_array_equal(engine.enhance(frames, guide=guide).luma, enhanced(frames, None, None, guide)[0])
    with pytest.raises(UsageError, match="takes a guide with every window, and none was given"):
        engine.enhance(frames)
    with pytest.raises(ShapeError, match=r"float32 \[5, 6\]; float32 \[5, 7\] was expected"):
        engine.enhance(frames, guide=guide[:, :6])
    engine.close()


def test_a_picture_that_is_not_finite_is_told():
    engine = engine_on(SimulatedCuda(Random(5)), 0, *ODD)
    assert engine.enhance(np.ones((1, *ODD), np.uint8), 30).is_finite
    assert not engine.enhance(np.full((1, *ODD), BROKEN, np.uint8), 30).is_finite
    engine.close()


@pytest.mark.parametrize("memory_bytes", range(200, 6400, 400))
def test_what_was_taken_is_given_back_where_memory_runs_out(memory_bytes):
    cuda = SimulatedCuda(Random(6), memory_bytes=memory_bytes)
    with pytest.raises(BackendError, match="MiB of GPU memory were asked for"):
        engine_on(cuda, 1, *ODD, 10).open_slots(RingLayout(1, 4))
    assert cuda.live() == []


def test_an_engine_that_nobody_closed_gives_everything_back_when_it_goes():
    cuda = SimulatedCuda(Random(7))
    engine = engine_on(cuda, 1, *ODD)
    slots = engine.open_slots(RingLayout(1, 1))
    engine.enhance(np.zeros((3, *ODD), np.uint8), 30)
    del engine
    assert cuda.live() == []
    slots.close()


def test_slots_that_nobody_closed_give_their_memory_back_when_they_go():
    cuda = SimulatedCuda(Random(8))
    engine = engine_on(cuda, 1, *ODD)
    before = cuda.live()
    engine.open_slots(RingLayout(1, 1))
    assert cuda.live() == before
    engine.close()


def test_a_device_that_broke_down_is_reported_once_and_closed_without_a_second_error():
    cuda = SimulatedCuda(Random(9))
    engine = engine_on(cuda, 0, *ODD)
    cuda.is_broken = True
    with pytest.raises(BackendError, match="can't use the GPU any more"):
        engine.enhance(np.zeros((1, *ODD), np.uint8), 30)
    engine.close()


def test_a_foreign_network_is_refused_and_given_back():
    cuda = SimulatedCuda(Random(10))
    cuda.use()
    request = request_for(1, *ODD, takes_qp=True)
    network = FakeNetwork(cuda, request)
    network.inputs = network.inputs[:1]
    with pytest.raises(BackendError, match=r"takes uint8 window \[1, 3, 5, 7\]; window, qp, .*to_onnx.py"):
        CudaEngine(cuda, network, request)
    assert cuda.live() == []


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cuda") / "in.mkv"
    make_video(path, frames=23, size=(32, 16), codec="ffv1")
    return path


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ahead", [1, 3])
def test_the_pipeline_in_threads_gives_every_frame_its_own_result(video, ahead, seed):
    cuda, sink = SimulatedCuda(Random(seed)), Collecting()
    engine = engine_on(cuda, 2, 16, 32)
    with open_source(video) as source:
        pipeline = Pipeline(source, engine, sink, RingLayout(2, ahead), qp_of=lambda frame: 20.0 + frame.number)
        cuda.is_frozen = True
        pipeline.run()
    lumas = [np.frombuffer(shown.planes[0], np.uint8).reshape(16, 32) for shown in frames_of(video)]
    wanted = expected([lumas], 2, [20.0 + number for number in range(23)], None)
    np.testing.assert_array_equal(sink.lumas, [luma for luma, _ in wanted])
    assert set(pipeline.progress.busy_s) == {"decode", "cuts", "upload", "compute", "download", "encode"}
    assert pipeline.progress.busy_s["compute"] > 0
    engine.close()
    assert cuda.live() == []


def test_a_failed_run_gives_the_ring_back_and_the_engine_can_go_on(video):
    class Full(Collecting):
        def write_frame(self, picture, is_fallen_back) -> None:
            raise OSError("disk full")

    cuda = SimulatedCuda(Random(0))
    engine = engine_on(cuda, 1, 16, 32)
    before = cuda.live()
    with open_source(video) as source, pytest.raises(OSError, match="disk full"):
        Pipeline(source, engine, Full(), RingLayout(1, 1), qp_of=lambda _: 30.0).run()
    cuda.use()
    assert cuda.live() == before
    assert engine.enhance(np.zeros((3, 16, 32), np.uint8), 30).is_finite
    engine.close()


def test_the_pipeline_takes_it_as_it_is():
    engine = engine_on(SimulatedCuda(Random(0)), 0, *ODD)
    assert streaming(engine, ODD) is engine
    engine.close()
