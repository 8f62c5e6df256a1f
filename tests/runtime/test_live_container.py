import os

import pytest

from cvqe.errors import ExitCode, InputError
from runtime.decoder import open_source
from runtime.live_input import LiveInput
from tests.runtime.senders import fifo_writer, free_port

QUICK = LiveInput(open_timeout_s=0.3, stall_s=0.3)


def sentence(given, live=QUICK):
    with pytest.raises(InputError) as caught:
        open_source(given, live=live)
    assert caught.value.exit_code == ExitCode.UNREADABLE_INPUT
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nobody_answers():
    url = f"tcp://127.0.0.1:{free_port()}"
    assert sentence(url) == (
        f"{url} can't be opened (Connection refused); check the address, and that its sender is on"
    )


def test_nobody_sends():
    assert "can't be opened (nothing came for 0.3 s)" in sentence(f"udp://127.0.0.1:{free_port()}")


def test_nobody_comes_to_a_listener():
    assert "(nothing came for 0.3 s)" in sentence(
        f"tcp://127.0.0.1:{free_port()}", LiveInput(options={"listen": "1"}, open_timeout_s=0.3)
    )


def test_a_protocol_that_there_is_not():
    assert "nosuch://x can't be opened (Protocol not found)" in sentence("nosuch://x")


def test_a_pipe_of_something_else(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with fifo_writer(tmp_path / "pipe", [b"Dear diary,\n" * 50]):
        text = sentence(tmp_path / "pipe")
    assert "is not a video that FFmpeg can read as it comes" in text
    assert "MPEG-TS, Matroska or fragmented MP4 was expected" in text


def test_a_device_without_the_name_of_what_reads_it():
    assert sentence("/dev/null") == (
        "/dev/null is a device; say which of FFmpeg's input formats reads it, for a camera:  --input-format v4l2"
    )


def test_a_device_that_there_is_not():
    assert sentence("/dev/video99").startswith("/dev/video99: no such file")
    text = sentence("no such device", LiveInput(format="lavfi"))
    assert text.startswith("no such device can't be opened as lavfi (")


def test_an_input_format_that_this_ffmpeg_lacks():
    assert "has no input format 'gdigrab'" in sentence("desktop", LiveInput(format="gdigrab"))


def test_a_made_up_device_is_a_source():
    with open_source("testsrc=size=64x48:rate=25:duration=0.4", live=LiveInput(format="lavfi")) as source:
        assert (len(list(source.items())), source.is_live) == (10, True)
