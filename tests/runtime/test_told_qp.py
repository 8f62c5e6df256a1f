"""What the network is told, and that nothing is made up in silence."""

import logging
from dataclasses import replace

import pytest

from cvqe.frame import Frame
from cvqe.manifest import Manifest
from runtime.told_qp import ToldQp
from tests.media import pattern

MANIFEST = Manifest("live", {}, 3, (22, 32, 42), 8, "fp32", 1, "ab12", "2026-01-31", "0.1.0", takes_qp=True)
PICTURE = pattern(0, (16, 16), "yuv420p")


def told(told_qp: ToldQp, *qps: float | None) -> list[float | None]:
    return [told_qp.of(Frame(number, PICTURE, qp)) for number, qp in enumerate(qps)]


def test_every_frame_brings_its_own(caplog):
    told_qp = ToldQp(MANIFEST)
    assert told(told_qp, 30, 34.25, 33) == [30, 34.25, 33]
    assert (told_qp.found, told_qp.note, caplog.text) == ("QP 30 to 34.2, 2 changes, as the input says", None, "")


def test_one_that_is_asked_for_is_told_with_every_frame(caplog):
    told_qp = ToldQp(MANIFEST, 37)
    assert told(told_qp, 30, None, 33) == [37] * 3
    assert (told_qp.found, told_qp.note, caplog.text) == ("QP 37, as asked for", None, "")


def test_an_unknown_one_is_the_last_known_and_said_once(caplog):
    told_qp = ToldQp(MANIFEST)
    with caplog.at_level(logging.WARNING):
        assert told(told_qp, 35, None, 33, None) == [35, 35, 33, 33]
    assert len(caplog.records) == 1
    assert "frame 1 does not tell the QP it was coded at; live is told 35 instead" in caplog.text
    assert told_qp.found == "QP 33 to 35, 1 change, as the input says"
    assert told_qp.note.startswith("the QP of 2 frames is not known; live was told the last one known, or QP 32 where")


def test_a_single_unknown_one_is_one_frame():
    told(told_qp := ToldQp(MANIFEST), 35, None)
    assert told_qp.note.startswith("the QP of 1 frame is not known; live was told")


def test_where_none_is_known_a_middle_one_is_told_and_called_a_guess(caplog):
    told_qp = ToldQp(MANIFEST)
    with caplog.at_level(logging.WARNING):
        assert told(told_qp, None, None) == [32, 32]
    assert len(caplog.records) == 1
    assert "live is told 32 instead" in caplog.text and "--qp N" in caplog.text
    assert told_qp.found == "QP 32, a guess"
    assert "2 frames" in told_qp.note and "QP 32" in told_qp.note


@pytest.mark.parametrize("asked", [None, 37])
def test_a_network_that_takes_none_is_told_none_and_nothing_is_said(caplog, asked):
    told_qp = ToldQp(replace(MANIFEST, takes_qp=False), asked)
    assert told(told_qp, 30, None) == [None, None]
    assert (told_qp.found, told_qp.note, caplog.text) == (None, None, "")
