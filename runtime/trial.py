"""A trial run: what stream.py would choose on this machine, shown by the code that chooses."""

from dataclasses import dataclass

import numpy as np

from cvqe.errors import ModelError
from runtime.engine import EngineRequest, open_engine
from runtime.engine_file import sizes_at_hand
from runtime.gpu_presence import gpu_obstacle
from runtime.model_choice import choose_model
from runtime.model_file import ModelFile
from runtime.stream_config import StreamConfig

SIDE = 64  # px; compiles in a moment


def trial_size(model: ModelFile) -> tuple[int, int]:
    """Return (height, width) to try: where there is a GPU, what an engine at hand is for; else a small frame."""
    sizes = sizes_at_hand(model) if gpu_obstacle() is None or model.is_engine else []
    return sizes[0] if sizes else (SIDE, SIDE)


@dataclass(frozen=True)
class Trial:
    """An engine that enhanced a frame."""

    network: str
    backend: str
    precision: str
    device: str
    reason: str


def try_engine(network: str = StreamConfig.model) -> Trial:
    """Open a network as stream.py does by default and enhance one small frame.

    Raises:
        CvqeError: there is no such network, or nothing here can run it.
    """
    model = choose_model(network)
    height, width = trial_size(model)
    request = EngineRequest(model, height, width, precision=StreamConfig.precision)
    choice = open_engine(request, StreamConfig.backend)
    black = np.zeros((model.manifest.window_frames, height, width), np.uint8)
    qp = model.manifest.middle_qp if model.manifest.takes_qp else None
    enhanced = choice.engine.enhance(black, qp, np.zeros((height, width), np.float32))
    if not enhanced.is_finite:
        raise ModelError(f"{choice.engine.backend} turns a black frame into NaN with {model.path}.")
    return Trial(str(model.path), choice.engine.backend, choice.engine.precision, choice.engine.device, choice.reason)
