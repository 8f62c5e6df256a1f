import pytest

from runtime.stream_config import StreamConfig
from runtime.stream_options import DEFAULT_LATENCY_MS, parse_args


def parsed(*words: str) -> StreamConfig:
    return parse_args(["in.mp4", *words], None)[0]


def test_who_says_nothing_gets_the_defaults():
    assert parsed() == StreamConfig("in.mp4")


def test_json_is_no_matter_of_the_run():
    assert parse_args(["in.mp4", "--json"], None) == (StreamConfig("in.mp4"), True)


@pytest.mark.parametrize(
    "words, latency_ms", [([], None), (["--realtime"], DEFAULT_LATENCY_MS), (["--realtime", "80"], 80)]
)
def test_real_time_has_a_usual_budget(words, latency_ms):
    config = parsed(*words)
    assert config.latency_ms == latency_ms
    assert config.live_input.is_realtime == config.is_realtime == (latency_ms is not None)
    assert config.encoder_options(is_live=False).is_live == config.is_realtime


def test_options_of_ffmpeg_are_handed_on():
    config = parsed("--input-option", "rtsp_flags=listen", "--input-option", "a=b=c", "--output-option", "x=1")
    assert config.live_input.options == {"rtsp_flags": "listen", "a": "b=c"}
    assert config.output_options == (("x", "1"),)


def test_times_of_a_sender():
    config = parsed("--stall", "0.5", "--give-up", "7")
    assert (config.live_input.stall_s, config.live_input.give_up_s) == (0.5, 7.0)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--realtime", "0"], "no whole number from 1 up"),
        (["--segment", "-1"], "no whole number from 0 up"),
        (["--stall", "soon"], "no number of seconds"),
        (["--give-up", "-1"], "no number of seconds"),
        (["--input-option", "=x"], "KEY=VALUE"),
        (["--strict", "--allow-partial"], "not allowed with"),
        (["--qp", "52"], "no whole number from 0 to 51, nor auto"),
        (["--crf", "nan"], "no number from 0 to 63"),
    ],
)
def test_mistakes_are_told_before_anything_begins(capsys, words, said):
    with pytest.raises(SystemExit):
        parsed(*words)
    assert said in capsys.readouterr().err
