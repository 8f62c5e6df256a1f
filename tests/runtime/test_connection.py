import threading
from fractions import Fraction

from runtime.connection import Connector
from runtime.live_input import ORDINARY
from runtime.source_address import source_address
from runtime.tolerant_decoder import DecoderOptions, Tally
from tests.media import Extras, make_video
from tests.runtime.senders import tcp_sender


def connect(given):
    return Connector(source_address(given), ORDINARY, DecoderOptions(), Tally()).connect(3, threading.Event())


def test_a_layout_names_every_stream_and_the_one_to_enhance(tmp_path):
    path = make_video(tmp_path / "in.ts", extras=Extras(second_video=True))
    clock = Fraction(1, 90_000)
    connection = connect(path)
    assert connection.layout == (
        ("video", "h264", clock, True),
        ("video", "h264", clock, False),
        ("audio", "aac", clock, False),
    )
    connection.container.close()


def test_a_file_has_a_length_and_what_is_sent_has_none(tmp_path):
    path = make_video(tmp_path / "in.ts")
    of_file = connect(path)
    with tcp_sender([path.read_bytes()]) as address:
        of_sender = connect(address)
    assert of_file.has_length
    assert not of_sender.has_length
    of_file.container.close()
    of_sender.container.close()
