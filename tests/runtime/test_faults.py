"""Something happens in a stage of the pipeline: one error is told, nothing is left, and the next file is unharmed."""

import gc
import itertools
import resource
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import pytest

from cvqe.errors import BackendError, CvqeError
from runtime.decoder import Item, Source, open_source
from runtime.encoder import Sink, open_sink
from runtime.encoder_settings import EncoderOptions
from runtime.engine import Enhanced
from runtime.pipeline import Pipeline
from runtime.slots import RingLayout
from runtime.streaming import Pending
from tests.media import Extras, frames_of, make_video

N_FRAMES = 40  # more than all channels and the ring hold together
LOSSLESS = EncoderOptions(encoder="ffv1", threads=1)
ERRORS = (CvqeError("this is broken."), ValueError("nobody thought of this"), av.error.InvalidDataError(1, "damaged"))
SOON_S = 4.0  # for all threads to end, on a busy machine
FILLING_S = 0.2  # by then every channel before a stage that stands still is full
BYTES_ON_DISK = 20_000

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")


class Copier:
    """An engine that gives the target back."""

    backend, precision, device = "test", "fp32", "CPU"

    def enhance(self, frames: np.ndarray, qp: float | None = None, guide: np.ndarray | None = None) -> Enhanced:
        return Enhanced(frames[1].copy(), is_finite=True)

    def reset(self) -> None:
        pass


@dataclass(frozen=True)
class Parts:
    """What a run consists of."""

    source: Source
    sink: Sink
    pipeline: Pipeline


Happen = Callable[[], None]  # raises, or stands still
Change = Callable[[Parts], None]


def run(path: Path, output: Path, change: Change) -> "weakref.ref[Pipeline]":
    """Run a pipeline after a change; returns what tells whether it is still in memory."""
    with open_source(path, threads=1) as source, open_sink(output, source, LOSSLESS) as sink:
        pipeline = Pipeline(source, Copier(), sink, RingLayout(1, 1))
        change(Parts(source, sink, pipeline))
        pipeline.run()
        sink.close()
    return weakref.ref(pipeline)


def at_call(number: int, call: Callable[..., Any], happen: Happen) -> Any:
    """Wrap a method: something happens before its call of this number, counted from 0."""
    calls = itertools.count()

    def wrapped(*args: Any, **named: Any) -> Any:
        if next(calls) == number:
            happen()
        return call(*args, **named)

    return wrapped


def in_decoder(parts: Parts, number: int, happen: Happen) -> None:
    def items(whole: Iterator[Item]) -> Iterator[Item]:
        yield from itertools.islice(whole, number)
        happen()
        yield from whole

    whole = parts.source.items()
    parts.source.items = lambda: items(whole)  # type: ignore[method-assign]


def in_upload(parts: Parts, number: int, happen: Happen) -> None:
    slots = parts.pipeline.ring.slots
    slots.write = at_call(number, slots.write, happen)  # type: ignore[method-assign]


def in_guide(parts: Parts, number: int, happen: Happen) -> None:
    parts.pipeline.guide_of = at_call(number, lambda frame: frame.luma, happen)


def in_submit(parts: Parts, number: int, happen: Happen) -> None:
    engine = parts.pipeline.engine
    engine.submit = at_call(number, engine.submit, happen)  # type: ignore[method-assign]


@dataclass(frozen=True)
class Hooked:
    """A result, and what happens before it is taken."""

    pending: Pending
    happen: Happen

    def wait(self) -> float:
        return self.pending.wait()

    def result(self) -> Enhanced:
        self.happen()
        return self.pending.result()


def in_result(parts: Parts, number: int, happen: Happen) -> None:
    engine = parts.pipeline.engine
    submit, happens = engine.submit, at_call(number, lambda: None, happen)
    engine.submit = lambda *args: Hooked(submit(*args), happens)  # type: ignore[method-assign]


def in_encoder(parts: Parts, number: int, happen: Happen) -> None:
    parts.sink.write_frame = at_call(number, parts.sink.write_frame, happen)  # type: ignore[method-assign]


def in_copying(parts: Parts, number: int, happen: Happen) -> None:
    parts.sink.copy_packet = at_call(number, parts.sink.copy_packet, happen)  # type: ignore[method-assign]


STAGES = (in_decoder, in_upload, in_guide, in_submit, in_result, in_encoder, in_copying)


def raising(error: BaseException) -> Happen:
    def happen() -> None:
        raise error

    return happen


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "in.mkv"
    return make_video(path, frames=N_FRAMES, size=(32, 16), codec="ffv1", extras=Extras())


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> Iterator[None]:
    """Spare the collector what was there before: libraries have made a million objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def n_open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """Look at what a run leaves: no thread, no open file, nothing in its folder."""
    gc.collect()
    n_before = n_open_files()
    yield
    gc.collect()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("cvqe-")] == []
    assert n_open_files() == n_before
    assert list(folder.iterdir()) == []


def assert_next_file_is_whole(video: Path, folder: Path) -> None:
    """Run once more in the same process; its memory is free afterwards."""
    pipeline = run(video, folder / "next.mkv", lambda parts: None)
    gc.collect()
    assert pipeline() is None
    assert frames_of(folder / "next.mkv") == frames_of(video)


@pytest.mark.parametrize("number", [0, 17])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("stage", STAGES)
def test_an_error_of_any_stage_is_the_one_that_is_told(video, tmp_path, stage, error, number):
    with nothing_left(tmp_path), pytest.raises(type(error)) as told:
        run(video, tmp_path / "out.mkv", lambda parts: stage(parts, number, raising(error)))
    assert told.value is error
    assert_next_file_is_whole(video, tmp_path)


@pytest.mark.parametrize("stage", [in_submit, in_result])
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("the device is lost")], ids=["memory", "device"])
def test_what_a_backend_raises_is_said_in_a_sentence(video, tmp_path, stage, error):
    with nothing_left(tmp_path), pytest.raises(BackendError, match=r"test failed at frame 17 \("):
        run(video, tmp_path / "out.mkv", lambda parts: stage(parts, 17, raising(error)))


def test_of_two_errors_the_first_one_is_told(video, tmp_path):
    def change(parts: Parts) -> None:
        in_submit(parts, 0, raising(CvqeError("the first")))
        in_encoder(parts, 0, raising(CvqeError("the second")))

    with nothing_left(tmp_path), pytest.raises(CvqeError, match="the first"):
        run(video, tmp_path / "out.mkv", change)


def test_a_full_disk_ends_every_stage(video, tmp_path):
    with nothing_left(tmp_path), small_disk(), pytest.raises(CvqeError, match="make room on the disk"):
        run(video, tmp_path / "out.mkv", lambda parts: None)
    assert_next_file_is_whole(video, tmp_path)


@contextmanager
def small_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES_ON_DISK, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_ends_though_a_stage_stands_still_while_channels_are_full(video, tmp_path, stage):
    stands, goes_on = threading.Event(), threading.Event()

    def stand_still() -> None:
        stands.set()
        goes_on.wait(SOON_S)

    def stop(parts: Parts) -> None:
        stands.wait(SOON_S)
        time.sleep(FILLING_S)
        parts.pipeline.stages.stop(CvqeError("stopped from outside"))
        goes_on.set()

    def change(parts: Parts) -> None:
        stage(parts, 5, stand_still)
        threading.Thread(target=stop, args=(parts,)).start()

    with nothing_left(tmp_path), pytest.raises(CvqeError, match="stopped from outside"):
        run(video, tmp_path / "out.mkv", change)


@pytest.mark.parametrize("seed", range(10))
def test_a_stop_at_any_moment_ends_the_run_soon(video, tmp_path, seed):
    moment = Random(seed).randrange(N_FRAMES)

    def change(parts: Parts) -> None:
        stop = threading.Thread(target=parts.pipeline.stages.stop, args=(KeyboardInterrupt(),))
        Random(seed).choice(STAGES)(parts, moment, stop.start)

    start = time.monotonic()
    with nothing_left(tmp_path), pytest.raises(KeyboardInterrupt):
        run(video, tmp_path / "out.mkv", change)
    assert time.monotonic() - start < SOON_S
