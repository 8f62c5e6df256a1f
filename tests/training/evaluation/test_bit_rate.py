"""Bit rates against the packets of files made here."""

import av
import pytest

from tests.media import make_video
from training.evaluation.bit_rate import bitrate_kbps


def packet_sizes(path):
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    return [packet.size for packet in sorted(packets, key=lambda packet: packet.pts or 0)]


def test_it_is_the_packets_bits_over_the_time_they_are_shown(tmp_path):
    path = make_video(tmp_path / "a.mkv", frames=8, codec="ffv1", rate=50)
    sizes = packet_sizes(path)
    assert bitrate_kbps(path) == pytest.approx(sum(sizes) * 8 * 50 / 8 / 1000)
    assert bitrate_kbps(path, 3) == pytest.approx(sum(sizes[:3]) * 8 * 50 / 3 / 1000)
    assert bitrate_kbps(path, 99) == bitrate_kbps(path)


@pytest.mark.parametrize("codec, name", [("libx264", "a.mp4"), ("libx265", "a.hevc")])
def test_an_encoders_message_about_itself_does_not_count(tmp_path, codec, name):
    path = make_video(tmp_path / name, frames=6, codec=codec)
    sizes = packet_sizes(path)
    assert 400 < sum(sizes) - bitrate_kbps(path) * 1000 * 6 / 25 / 8 < 4000


def test_first_frames_are_those_shown_first(tmp_path):
    path = make_video(tmp_path / "a.mkv", frames=12, codec="libx264", options={"bf": "3", "b_strategy": "0"})
    whole = sum(packet_sizes(path)) - bitrate_kbps(path) * 1000 * 12 / 25 / 8
    assert bitrate_kbps(path, 4) * 1000 * 4 / 25 / 8 == pytest.approx(sum(packet_sizes(path)[:4]) - whole)
