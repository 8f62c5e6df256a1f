"""Fields by themselves: no row of one ever reaches the other."""

from dataclasses import replace

import numpy as np
import pytest

from cvqe.errors import BackendError, ModelError
from export.verify import made_up_window
from runtime.engine import EngineRequest, Enhanced, open_engine
from runtime.fields import FieldEngine, field_height, open_field_engine
from runtime.model_file import load_model_file
from runtime.slots import RingLayout
from runtime.streaming import streaming
from tests.guided import save_guided_network

SIZES = [(2, 2), (16, 24), (17, 31), (1, 8), (3, 8)]
QP = 35.0


class Recording:
    """An engine that keeps what it is given and answers with the target, brightened by one."""

    backend, precision, device = "recording", "fp32", "CPU"

    def __init__(self, broken_call: int | None = None):
        self.calls = []
        self.broken_call = broken_call

    def enhance(self, frames, qp=None, guide=None):
        assert all(frame.flags.c_contiguous for frame in frames)
        self.calls.append((frames.copy(), qp, guide))
        return Enhanced(frames[len(frames) // 2] + 1, len(self.calls) - 1 != self.broken_call)


def window_of(height: int, width: int, bit_depth: int = 8) -> np.ndarray:
    _, levels = made_up_window(7, (height, width), 2**bit_depth - 1)
    return levels.astype(np.uint8) if bit_depth == 8 else levels.astype("<u2")[..., None].view(np.uint8)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("size", SIZES)
def test_each_field_sees_rows_of_its_own_parity_only(size, bit_depth):
    window, engine = window_of(*size, bit_depth), Recording()
    enhanced = FieldEngine(engine).enhance(window, QP)
    for parity, (seen, qp, guide) in enumerate(engine.calls):
        own = window[:, parity::2]
        np.testing.assert_array_equal(seen[:, : own.shape[1]], own)
        assert (seen.shape[1], qp, guide) == (field_height(size[0]), QP, None)
    np.testing.assert_array_equal(enhanced.luma, window[3] + 1)
    assert enhanced.is_finite


def test_the_bottom_field_of_an_odd_height_ends_with_its_last_row_twice():
    window, engine = window_of(17, 8), Recording()
    FieldEngine(engine).enhance(window)
    np.testing.assert_array_equal(engine.calls[1][0][:, -2:], window[:, [15, 15]])


def test_a_guide_is_divided_like_the_frames():
    window, engine = window_of(16, 24), Recording()
    guide = np.random.default_rng(0).random((16, 24), np.float32)
    FieldEngine(engine).enhance(window, guide=guide)
    for parity in (0, 1):
        np.testing.assert_array_equal(engine.calls[parity][2], guide[parity::2])


def test_every_other_frame_of_a_ring_arrives_as_it_is():
    ring, engine = window_of(16, 24), Recording()
    FieldEngine(engine).enhance(ring[::3])
    np.testing.assert_array_equal(engine.calls[1][0], ring[::3, 1::2])


@pytest.mark.parametrize("broken_call", [0, 1])
def test_a_nan_in_either_field_is_a_nan_in_the_frame(broken_call):
    assert not FieldEngine(Recording(broken_call)).enhance(window_of(16, 24)).is_finite


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("size, bit_depth", [((16, 24), 8), ((16, 24), 10), ((17, 31), 8), ((17, 31), 10)])
def test_a_network_gives_what_it_gives_on_the_fields_alone(live_onnx, backend, size, bit_depth):
    window = window_of(*size, bit_depth)
    request = EngineRequest(load_model_file(live_onnx), *size, bit_depth, "fp32", threads=2)
    woven = open_field_engine(request, backend).engine.enhance(window, QP).luma
    alone = open_engine(replace(request, height=field_height(size[0])), backend).engine
    even = window if size[0] % 2 == 0 else np.concatenate([window, window[:, -2:-1]], axis=1)
    for parity in (0, 1):
        field = alone.enhance(np.ascontiguousarray(even[:, parity::2]), QP).luma
        np.testing.assert_array_equal(woven[parity::2], field[: len(woven[parity::2])])


def test_a_guided_network_is_given_each_fields_guide(tmp_path):
    path = save_guided_network(tmp_path / "guide.onnx")
    request = EngineRequest(load_model_file(path), 16, 24, precision="fp32", threads=2)
    guide = np.random.default_rng(0).random((16, 24), np.float32) * 255
    shown = open_field_engine(request, "openvino").engine.enhance(window_of(16, 24)[:3], guide=guide).luma
    assert np.abs(shown - guide).max() < 0.501  # this network hands out its guide


def test_it_is_called_what_the_engine_inside_is_called(live_onnx):
    choice = open_field_engine(EngineRequest(load_model_file(live_onnx), 16, 24, precision="fp32"), "openvino")
    assert choice.reason == "asked for"
    assert (choice.engine.backend, choice.engine.precision) == ("openvino", "fp32")


@pytest.mark.parametrize("kind", [BackendError, ModelError])
def test_an_error_says_of_what_size_the_fields_are(live_onnx, monkeypatch, kind):
    def refuse(request, backend):
        raise kind(f"no engine for {request.width}x{request.height} is at hand.")

    monkeypatch.setattr("runtime.fields.open_engine", refuse)
    with pytest.raises(kind, match=r"24x9 is at hand\.\nThe video is interlaced: .* its fields, 24x9, not .* 24x17"):
        open_field_engine(EngineRequest(load_model_file(live_onnx), 17, 24), "tensorrt")


def test_a_ring_of_whole_frames_feeds_it():
    whole = streaming(FieldEngine(Recording()), (16, 24))
    slots = whole.open_slots(RingLayout(radius=3, ahead=1))
    window = window_of(16, 24)
    for place, frame in enumerate(window):
        slots.write(place, frame)
    enhanced = whole.submit(slots.window(0), QP).result()
    np.testing.assert_array_equal(enhanced.luma, window[3] + 1)
