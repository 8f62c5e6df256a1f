"""Recurrent networks end to end: one that counts the frames it remembers shows where it begins anew."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest

from cvqe.errors import ModelError
from runtime.engine import EngineRequest, open_engine
from runtime.fields import open_field_engine
from runtime.model_file import load_model_file
from runtime.run import stream
from runtime.stream_config import StreamConfig
from tests.guided import save_guided_network
from tests.media import Extras, frames_of, make_video
from tests.recurrent import save_counting_network
from tests.runtime.test_guided_stream import lumas_of
from tests.runtime.test_resume import killed, run
from tests.scenes import draw_scenes

SCENES = (30, 41, 29)
BACKENDS = ["openvino", "onnxruntime"]
ODD = (17, 31)


@pytest.fixture(scope="module")
def counting(tmp_path_factory) -> Path:
    return save_counting_network(tmp_path_factory.mktemp("network") / "counting.onnx")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Make a file of three scenes."""
    stamps = [3 * n for n in range(sum(SCENES))]
    path = tmp_path_factory.mktemp("scenes") / "in.mp4"
    draw = draw_scenes(SCENES)
    return make_video(path, pts_list=stamps, size=(64, 48), time_base=Fraction(1, 75), extras=Extras(), draw=draw)


def levels_of(luma: np.ndarray) -> set[int]:
    return set((luma if luma.ndim == 2 else luma.view("<u2")).ravel().tolist())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bit_depth, stored", [(8, 8), (10, 16), (8, 16)])
def test_each_frame_reads_what_the_one_before_left_behind(tmp_path, backend, bit_depth, stored):
    path = save_counting_network(tmp_path / "counting.onnx", stored)
    request = EngineRequest(load_model_file(path), *ODD, bit_depth, "fp32", threads=1)
    engine = open_engine(request, backend).engine
    window = np.zeros((1, *ODD, *[2] * (bit_depth > 8)), np.uint8)
    step = 4 if bit_depth == 10 else 1
    for n_frames in (3, 1, 2):
        counted = [levels_of(engine.enhance(window).luma) for _ in range(n_frames)]
        assert counted == [{step * number} for number in range(1, n_frames + 1)]
        engine.reset()


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_that_were_given_out_stay_as_they_are(counting, backend):
    engine = open_engine(EngineRequest(load_model_file(counting), *ODD, precision="fp32", threads=1), backend).engine
    first, _, _ = (engine.enhance(np.zeros((1, *ODD), np.uint8)).luma for _ in range(3))
    assert levels_of(first) == {1}


def test_each_field_remembers_its_own(counting):
    request = EngineRequest(load_model_file(counting), 18, 31, precision="fp32", threads=1)
    engine = open_field_engine(request, "onnxruntime").engine
    window = np.zeros((1, 18, 31), np.uint8)
    assert [levels_of(engine.enhance(window).luma) for _ in range(3)] == [{1}, {2}, {3}]
    engine.reset()
    assert levels_of(engine.enhance(window).luma) == {1}


@pytest.mark.parametrize("scene_cuts", [True, False])
def test_a_stream_begins_anew_at_every_cut(counting, source, tmp_path, scene_cuts):
    output = tmp_path / "out.mkv"
    config = StreamConfig(source, output, str(counting), encoder="ffv1", precision="fp32", scene_cuts=scene_cuts)
    stream(config, lambda _: None, lambda *_: None)
    whole = range(1, sum(SCENES) + 1)
    expected = [number for length in SCENES for number in whole[:length]] if scene_cuts else list(whole)
    assert [levels_of(luma) for luma in lumas_of(output)] == [{number} for number in expected]


def test_a_run_that_goes_on_remembers_what_the_one_before_it_had_seen(counting, source, tmp_path):
    options = ("--encoder", "ffv1")
    run(counting, source, "whole.mkv", *options, cwd=tmp_path)
    killed(counting, source, "out.mkv", *options, cwd=tmp_path, after_segments=2)
    summary = run(counting, source, "out.mkv", *options, "--resume", cwd=tmp_path)
    assert summary["frames_resumed"] >= 16
    assert frames_of(tmp_path / "out.mkv") == frames_of(tmp_path / "whole.mkv")


@pytest.mark.parametrize("says_so", [False, True])
def test_a_file_has_a_state_if_and_only_if_it_says_so(counting, tmp_path, says_so):
    model = onnx.load(save_guided_network(tmp_path / "guide.onnx") if says_so else counting)
    told = {entry.key: entry.value for entry in model.metadata_props} | {
        "cvqe.hidden_channels": json.dumps(int(says_so))
    }
    onnx.helper.set_model_props(model, told)
    onnx.save(model, tmp_path / "odd.onnx")
    words = (
        "'window' and 'guide' and 'hidden' without 'qp'" if says_so else "'window' without 'qp' or 'guide' or 'hidden'"
    )
    with pytest.raises(ModelError, match=f"{words}, and 'enhanced', were expected"):
        load_model_file(tmp_path / "odd.onnx")
