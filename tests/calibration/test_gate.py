"""The gate lets through what pays for itself, and says with numbers what does not."""

import json
from dataclasses import replace
from math import nan

import pytest

from calibration.gate import CLIP_LIMIT_DB, MEAN_LIMIT_DB, GateError, Verdict, judge
from cvqe.errors import ExitCode, ModelError
from tests.quantised import AMAX, float_model, noisy_sample, quantised_model

GOOD = Verdict("int8", 12, 0.01, 0.03, "foreman", "openvino", 1.2, "bf16", "1280x720")
SAMPLES = [noisy_sample("still", 0), noisy_sample("still", 1), noisy_sample("life", 2, (33, 47))]
# 127 steps up to the largest noise: a fifth of a level each, beside noise of more than two levels that is left
FINE_LOSS_DB = 0.05


def test_what_pays_for_itself_passes():
    assert GOOD.objections == []
    GOOD.refuse_objections("live.onnx")
    at_the_limits = replace(GOOD, mean_loss_db=MEAN_LIMIT_DB, worst_loss_db=CLIP_LIMIT_DB)
    assert at_the_limits.objections == []
    assert "0.0100 dB lost in the mean over 12 windows" in str(GOOD) and "1.20 times as fast as in bf16" in str(GOOD)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"mean_loss_db": 0.051}, "it loses 0.051 dB in the mean over 12 windows, where 0.05 dB are allowed"),
        ({"worst_loss_db": 0.12}, "it loses 0.120 dB on foreman, where 0.1 dB are allowed"),
        ({"speedup": 1.0}, "it is 1.00 times as fast as in bf16 at 1280x720"),
        ({"mean_loss_db": nan}, "it loses nan dB in the mean"),
        ({"speedup": nan}, "it is nan times as fast"),
    ],
)
def test_each_rule_refuses_with_its_number_and_the_way_past(changes, words):
    verdict = replace(GOOD, **changes)
    assert [words in each for each in verdict.objections] == [True]
    with pytest.raises(GateError, match=r"live.onnx in int8 is refused: .*Nothing was written.*--force") as raised:
        verdict.refuse_objections("live.onnx")
    assert words in str(raised.value)
    assert raised.value.exit_code == ExitCode.ERROR


def test_the_way_past_is_that_of_what_was_found():
    with pytest.raises(GateError, match="Measure again while nothing else computes"):
        replace(GOOD, speedup=0.9).refuse_objections("x.onnx")
    with pytest.raises(GateError, match="--keep NODE"):
        replace(GOOD, speedup=0.9, mean_loss_db=0.2).refuse_objections("x.onnx")


def test_a_speed_that_nothing_here_has_is_no_objection_and_is_called_not_measured():
    verdict = Verdict("fp8", 3, 0.0, 0.0, "foreman")
    assert verdict.objections == []
    assert "its speed is not measured" in str(verdict) and "emulated" in str(verdict)


def test_int8_is_measured_where_it_runs():
    verdict = judge(float_model(), quantised_model(), SAMPLES)
    assert (verdict.precision, verdict.n_windows, verdict.backend) == ("int8", 3, "openvino")
    assert abs(verdict.mean_loss_db) < FINE_LOSS_DB
    assert verdict.speedup is not None and verdict.speedup > 0
    assert verdict.size == "64x48"  # whatever the samples' own is
    assert json.loads(json.dumps(verdict.as_dict()))["objections"] == verdict.objections


def test_the_loss_is_that_of_the_worst_clip_and_of_all():
    verdict = judge(float_model(), quantised_model(amax=AMAX / 20), SAMPLES)
    assert verdict.worst_loss_db > verdict.mean_loss_db > MEAN_LIMIT_DB
    of_each = [judge(float_model(), quantised_model(amax=AMAX / 20), [sample]).mean_loss_db for sample in SAMPLES]
    assert verdict.mean_loss_db == pytest.approx(sum(of_each) / 3)
    clips = {"still": (of_each[0] + of_each[1]) / 2, "life": of_each[2]}
    assert verdict.worst_clip == max(clips, key=clips.get)
    assert verdict.worst_loss_db == pytest.approx(clips[verdict.worst_clip])
    with pytest.raises(GateError, match="it loses"):
        verdict.refuse_objections("small.onnx")


def test_the_same_loss_is_found_every_time():
    first, second = (judge(float_model(), quantised_model(), SAMPLES) for _ in range(2))
    assert replace(first, speedup=None) == replace(second, speedup=None)


def test_fp8_is_emulated():
    verdict = judge(float_model(), quantised_model("fp8"), SAMPLES)
    assert (verdict.backend, verdict.speedup) == (None, None)
    assert 0 < verdict.mean_loss_db < MEAN_LIMIT_DB  # three bits of mantissa


def test_a_network_that_says_nothing_of_itself_is_refused():
    model = quantised_model()
    del model.metadata_props[:]
    with pytest.raises(ModelError, match="carries no cvqe metadata"):
        judge(float_model(), model, SAMPLES)
