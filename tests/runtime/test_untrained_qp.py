"""Frames outside what a network was trained for are counted, those that any coder makes are not."""

from dataclasses import replace

import pytest

from cvqe.frame import Frame
from runtime.untrained_qp import USUAL_SPREAD, UntrainedQp
from tests.engines import network_manifest
from tests.media import pattern

PICTURE = pattern(0, (16, 16), "yuv420p")


def seen(manifest, *qps: float | None) -> UntrainedQp:
    untrained = UntrainedQp(manifest)
    for number, qp in enumerate(qps):
        untrained.see(Frame(number, PICTURE, qp))
    return untrained


def test_pictures_around_the_one_qp_that_a_coder_is_told_are_nothing_to_mention():
    untrained = seen(network_manifest(qp=(37,)), 37 - USUAL_SPREAD, 37, 37 + USUAL_SPREAD, None)
    assert (untrained.n_frames, untrained.note) == (0, None)


@pytest.mark.parametrize("qps, span", [((22.5, 22.5), "22.5"), ((45, 22, 37), "22 to 45")])
def test_those_beyond_are_counted_and_the_span_is_told(qps, span):
    untrained = seen(network_manifest(qp=(37,)), 37, *qps, 38)
    assert untrained.n_frames == 2
    assert untrained.note.startswith(f"QP {span} is that of 2 frames, and small was trained for QP 37:")


def test_a_network_of_a_range_or_of_no_known_qp_is_no_exception():
    assert seen(network_manifest(qp=(22, 42)), 25, 51).note == (
        "QP 51 is that of 1 frame, and small was trained for QP 22 to 42: it may gain less there, or lose"
    )
    assert seen(replace(network_manifest(), qp=()), 51).note is None
