"""What a run's frames bring along is passed on, and told in the summary."""

from pathlib import Path

import pytest

from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.frame_inputs import FrameInputs
from runtime.summary import Summary
from tests.engines import network_manifest
from tests.media import make_video

N_FRAMES = 6


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("inputs") / "in.mp4"
    return make_video(path, frames=N_FRAMES, size=(32, 16), options={"qp": "20", "preset": "ultrafast"})


def told(video: Path, asked_qp: int | None = None, **facts) -> tuple[Summary, list, list]:
    summary = Summary("in.mp4", "out.mp4", "libx264", "small", "openvino", "bf16", "asked for")
    with open_source(video, with_partitions=bool(facts.get("takes_guide"))) as source:
        inputs = FrameInputs(network_manifest(**facts), source, asked_qp)
        frames = [item for item in source.items() if isinstance(item, Frame)]
        qps = [inputs.qp_of(frame) for frame in frames]
        guides = [inputs.guide_of(frame) for frame in frames] if inputs.guide_of else []
    inputs.tell(summary)
    return summary, qps, guides


def test_a_network_that_takes_neither_is_given_neither_and_hears_of_other_qps(video):
    summary, qps, guides = told(video, qp=(37,))
    assert (qps, guides) == ([None] * N_FRAMES, [])
    assert (summary.qp, summary.guide, summary.frames_guided) == (None, None, None)
    (note,) = summary.notes
    assert f" is that of {N_FRAMES} frames" in note and "small was trained for QP 37" in note


def test_who_asks_for_a_qp_is_not_told_of_the_inputs(video):
    summary, qps, _ = told(video, asked_qp=37, qp=(37,), takes_qp=True)
    assert (qps, summary.qp, summary.notes) == ([37] * N_FRAMES, "QP 37, as asked for", [])


def test_a_network_that_takes_both_is_given_both(video):
    summary, qps, guides = told(video, qp=(22, 42), takes_qp=True, takes_guide=True)
    assert all(15 < qp < 25 for qp in qps)
    assert [guide.shape for guide in guides] == [(16, 32)] * N_FRAMES
    assert summary.qp.endswith("as the input says")
    assert summary.frames_guided == {"transform_units": 0, "fixed_grid": N_FRAMES}
