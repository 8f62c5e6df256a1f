"""What single guards of a stream take, each alone, in milliseconds of a processor a frame.

A processor's time, not the clock's: in a stream they run beside the network, which leaves no processor idle.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import av
import numpy as np
import onnx
from numpy.typing import NDArray

from cvqe.frame import Frame
from cvqe.manifest import MEAN
from runtime.decoder import open_source
from runtime.engine import Engine, EngineRequest, open_engine
from runtime.latency import Latency
from runtime.model_file import ModelFile
from runtime.picture_coding import coding_reader
from runtime.scene_cuts import SceneCuts, with_thumbnails

N_FRAMES, N_PAIRS = 96, 40  # looked at in a round
BUDGET_S = 0.5


def parts(clip: Path, model: ModelFile) -> dict[str, Callable[[], float]]:
    """Return what measures each guard once, on the frames of a clip, in ms a frame."""
    frames = list(islice(read(clip), N_FRAMES))
    window = np.stack([frame.luma for frame in frames[: model.manifest.window_frames]])
    request = EngineRequest(model, *window.shape[1:])
    checked, unchecked = (open_engine(each).engine for each in (request, replace(request, model=without_check(model))))
    return {
        "scene cuts": lambda: thread_ms(SceneCuts[Frame]().follow(with_thumbnails(frames))),
        "time stamps, damage, leading pictures": lambda: thread_ms(read(clip)) - thread_ms(read_plainly(clip)),
        "check for NaN": lambda: check_ms(checked, unchecked, window, frames[0].qp),
        "latency": lambda: thread_ms(counted(frames)),
    }


def thread_ms(items: Iterable[object]) -> float:
    """Return what this thread works for an item; the first one, with all that comes before it, isn't counted."""
    rest = iter(items)
    next(rest)
    start_s = time.thread_time()
    n_items = sum(1 for _ in rest)
    return 1000 * (time.thread_time() - start_s) / n_items


def check_ms(checked: Engine, unchecked: Engine, window: NDArray[np.uint8], qp: float | None) -> float:
    """Return what all threads work more for a window with the check than without, in turns.

    The least of many: the check is hundreds of times less than what a busy machine adds.
    """
    pairs = [(engine_ms(checked, window, qp), engine_ms(unchecked, window, qp)) for _ in range(N_PAIRS)]
    with_it, without = map(min, zip(*pairs, strict=True))
    return with_it - without


def engine_ms(engine: Engine, window: NDArray[np.uint8], qp: float | None) -> float:
    """Return what all threads work for a window."""
    start_s = time.process_time()
    engine.enhance(window, qp)
    return 1000 * (time.process_time() - start_s)


def read(clip: Path) -> Iterator[Frame]:
    """Yield a clip's frames as a stream reads them."""
    with open_source(clip) as source:
        yield from (item for item in source.items() if isinstance(item, Frame))


def read_plainly(clip: Path) -> Iterator[av.VideoFrame]:
    """Yield its pictures as FFmpeg gives them; their quantisers are read too, for these are the network's."""
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        codings = coding_reader(video)
        for packet in container.demux(video):
            codings.see(packet)
            for picture in packet.decode():
                codings.take(picture)
                yield picture


def counted(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield frames once their latency was looked at as in a live stream."""
    latency = Latency(BUDGET_S)
    for n_decoded, frame in enumerate(frames, 1):
        latency.skips(frame)
        latency.see_written(frame, n_decoded, time.monotonic())
        yield frame


def without_check(model: ModelFile) -> ModelFile:
    """Return a network whose mean, which tells of NaN and infinity, is a constant."""
    graph = onnx.load_from_string(model.content)
    (mean,) = (node for node in graph.graph.node if MEAN in node.output)
    graph.graph.node.remove(mean)
    graph.graph.node.append(onnx.helper.make_node("Constant", [], [MEAN], value_float=0.0))
    return replace(model, content=graph.SerializeToString())
