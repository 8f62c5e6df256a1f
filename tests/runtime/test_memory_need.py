"""Runs that can't fit are refused before anything is decoded, with numbers to decide by."""

import logging
from dataclasses import replace

import av
import pytest

from cvqe.errors import CvqeError, ExitCode
from runtime import memory_need as module
from runtime.input_file import open_container, video_stream
from runtime.memory_need import MemoryShortError, PlannedRun, StatedVideo, check_memory, memory_need, stated_video
from runtime.model_file import load_model_file
from tests.media import make_video

GB = 10**9
HUGE = StatedVideo(15360, 8640, "yuv420p")
SOURCE = "in.mp4"


@pytest.fixture(scope="module")
def run(live_onnx):
    return PlannedRun(HUGE, load_model_file(live_onnx), "onnxruntime", "fp32")


@pytest.fixture
def free(monkeypatch):
    return lambda n_bytes: monkeypatch.setattr(module, "available_bytes", lambda: n_bytes)


def need_gb(run, **changes):
    return memory_need(replace(run, **changes)) / GB


def test_a_need_grows_with_the_pixels(run):
    small, large = (need_gb(run, video=StatedVideo(side, side, "yuv420p")) for side in (1000, 4000))
    fixed = need_gb(run, video=StatedVideo(0, 0, "yuv420p"))
    assert large - fixed == pytest.approx(16 * (small - fixed))
    assert 0.05 < fixed < 0.3


def test_deeper_samples_more_frames_ahead_and_more_threads_need_more(run):
    least = need_gb(run)
    assert need_gb(run, video=replace(HUGE, pixel_format="yuv420p10le")) > least
    assert need_gb(run, ahead=8) > least
    assert need_gb(run, threads=16) > least
    assert need_gb(run, encoder="libsvtav1") > least > need_gb(run, encoder="ffv1")


def test_backends_differ_and_bf16_needs_less(run):
    by_openvino = need_gb(run, backend="openvino", precision="fp32")
    assert need_gb(run) > by_openvino > need_gb(run, backend="openvino", precision="bf16")


def test_a_gpus_engine_takes_none_of_the_hosts_memory_for_its_tensors(run):
    assert need_gb(run, backend="tensorrt") < need_gb(run, backend="openvino", precision="bf16")


def test_auto_is_what_auto_takes_here(run):
    assert need_gb(run, backend="auto", precision="auto") < need_gb(run)


def test_a_heavy_network_needs_more(run, tgafnet_onnx):
    assert need_gb(run, model=load_model_file(tgafnet_onnx)) > 5 * need_gb(run)


def test_what_does_not_fit_is_refused_with_numbers_and_ways_out(run, free):
    free(25 * GB)
    with pytest.raises(MemoryShortError) as refusal:
        check_memory(SOURCE, replace(run, encoder="ffv1"))
    assert refusal.value.exit_code == ExitCode.ERROR
    assert isinstance(refusal.value, CvqeError)
    text = str(refusal.value)
    assert text.startswith("in.mp4 is 15360x8640: live by onnxruntime needs about ")
    assert "25.0 GB are free. Use --backend openvino (needs about " in text
    assert text.endswith("another network, a smaller video, or run it all the same with --no-memory-check")


def test_a_backend_that_would_not_fit_either_is_not_advised(run, free):
    free(GB)
    with pytest.raises(MemoryShortError, match=r"1\.0 GB are free\. Use another network, a smaller video, or"):
        check_memory(SOURCE, run)


def test_what_may_not_fit_is_only_said(run, free, caplog):
    free(round(0.8 * memory_need(run)))
    with caplog.at_level(logging.WARNING):
        check_memory(SOURCE, run)
    assert "it may not be enough" in caplog.text


@pytest.mark.parametrize("n_bytes", [10**15, None])
def test_enough_memory_and_an_unknown_one_are_passed_in_silence(run, free, caplog, n_bytes):
    free(n_bytes)
    check_memory(SOURCE, run)
    assert caplog.text == ""


def test_a_picture_of_sixteen_thousand_columns_is_refused_by_its_container_alone(run, free, tmp_path):
    path = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt="gray", size=(15360, 8640), frames=1, draw=flat)
    free(12 * GB)
    with open_container(path) as container:
        video = stated_video(video_stream(container, path))
    assert (video.width, video.height) == (15360, 8640)
    with pytest.raises(MemoryShortError, match=r"in\.mkv is 15360x8640"):
        check_memory(path.name, replace(run, video=video))


def flat(number, size, pixel_format):
    return av.VideoFrame(*size, pixel_format)
