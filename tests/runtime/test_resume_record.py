import itertools
import json
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqe.errors import CvqeError, UsageError
from runtime.resume_record import ResumeRecord, Resuming, n_frames_kept, open_record, record_path, remove_record
from runtime.segment_file import SegmentWriter, checksum, read_segment

WISH = Resuming({"input": "a", "network": "b"}, resumes=True, n_segment=2)
ENCODING = {"encoder": "libx264"}


def packet(number: int, content: bytes = b"content") -> av.Packet:
    made = av.Packet(content)
    made.pts, made.dts, made.duration, made.time_base = number, number - 2, 1, Fraction(1, 25)
    made.is_keyframe = number % 2 == 0
    return made


def facts(packets) -> list:
    return [(bytes(each), each.pts, each.dts, each.duration, each.time_base, each.is_keyframe) for each in packets]


def fill(record: ResumeRecord, n_segments: int, first: int = 0) -> None:
    for number in range(first, first + 2 * n_segments):
        record.add(packet(number))
        if number % 2:
            record.end_segment(n_fallen_back=1)


stamps = st.integers(-(2**62), 2**62)


@given(st.lists(st.tuples(st.binary(min_size=1), stamps, stamps, st.booleans()), max_size=8))
def test_packets_come_out_of_a_segment_as_they_went_in(tmp_path_factory, contents):
    made = []
    for content, pts, dts, is_keyframe in contents:
        one = av.Packet(content)
        one.pts, one.dts, one.time_base, one.is_keyframe = pts, dts, Fraction(1001, 30000), is_keyframe
        made.append(one)
    writer = SegmentWriter(tmp_path_factory.mktemp("segment") / "0.packets")
    for one in made:
        writer.add(one)
    writer.finish()
    assert facts(read_segment(writer.path)) == facts(made)
    assert (checksum(writer.path), writer.path.stat().st_size) == (writer.crc, writer.n_bytes)


def test_whole_segments_are_found_again_and_half_ones_are_not(tmp_path):
    record = open_record(tmp_path / "out.mp4", WISH, ENCODING)
    fill(record, 2)
    record.add(packet(4))  # then the run is killed
    found = open_record(tmp_path / "out.mp4", WISH, ENCODING)
    assert (found.n_found, found.n_kept, found.n_fallen_back) == (4, 4, 2)
    assert n_frames_kept(tmp_path / "out.mp4") == 4
    assert facts(found.packets(1)) == facts([packet(2), packet(3)])
    fill(found, 1, first=4)
    assert open_record(tmp_path / "out.mp4", WISH, ENCODING).n_found == 6


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut_off, flip_a_bit, Path.unlink])
def test_a_damaged_segment_is_made_again_with_all_that_follow(tmp_path, damage):
    fill(open_record(tmp_path / "out.mp4", WISH, ENCODING), 3)
    damage(record_path(tmp_path / "out.mp4") / "00000001.packets")
    found = open_record(tmp_path / "out.mp4", WISH, ENCODING)
    assert found.n_found == 2
    fill(found, 2, first=2)
    again = open_record(tmp_path / "out.mp4", WISH, ENCODING)
    assert facts(itertools.chain.from_iterable(map(again.packets, range(3)))) == facts(map(packet, range(6)))


def test_a_line_cut_off_by_a_kill_ends_the_manifest(tmp_path):
    fill(open_record(tmp_path / "out.mp4", WISH, ENCODING), 2)
    cut_off(record_path(tmp_path / "out.mp4") / "segments.jsonl")
    assert open_record(tmp_path / "out.mp4", WISH, ENCODING).n_found == 2


@pytest.mark.parametrize(
    "wish, encoding, what",
    [
        (Resuming({"input": "other", "network": "b"}, resumes=True, n_segment=2), ENCODING, "another input;"),
        (Resuming(WISH.identity, resumes=True, n_segment=3), ENCODING, "another segment;"),
        (Resuming({"input": "a"}, resumes=True, n_segment=2), {"encoder": "ffv1"}, "another encoder and network;"),
    ],
)
def test_a_record_of_another_run_is_refused_and_kept_unless_it_may_be_replaced(tmp_path, wish, encoding, what):
    fill(open_record(tmp_path / "out.mp4", WISH, ENCODING), 1)
    with pytest.raises(UsageError, match=what):
        open_record(tmp_path / "out.mp4", wish, encoding)
    assert n_frames_kept(tmp_path / "out.mp4") == 2
    replacing = Resuming(wish.identity, resumes=True, overwrites=True, n_segment=wish.n_segment)
    assert open_record(tmp_path / "out.mp4", replacing, encoding).n_found == 0
    assert n_frames_kept(tmp_path / "out.mp4") == 0


def test_who_does_not_resume_begins_anew(tmp_path):
    fill(open_record(tmp_path / "out.mp4", WISH, ENCODING), 1)
    anew = open_record(tmp_path / "out.mp4", Resuming(WISH.identity, n_segment=2), ENCODING)
    assert anew.n_found == 0
    assert json.loads((record_path(tmp_path / "out.mp4") / "run.json").read_text())["encoder"] == "libx264"


def test_a_record_without_a_whole_segment_goes_with_its_run(tmp_path):
    record = open_record(tmp_path / "out.mp4", WISH, ENCODING)
    record.add(packet(0))
    record.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path):
    with pytest.raises(CvqeError, match="writing failed"):
        open_record(tmp_path / "gone" / "out.mp4", WISH, ENCODING)


def test_a_folder_that_only_has_the_name_of_a_record_is_left_alone(tmp_path):
    folder = record_path(tmp_path / "out.mp4")
    folder.mkdir()
    (folder / "notes.txt").write_text("precious")
    for wish in (WISH, Resuming(WISH.identity, overwrites=True, n_segment=2)):
        with pytest.raises(UsageError, match="in the way"):
            open_record(tmp_path / "out.mp4", wish, ENCODING)
    remove_record(tmp_path / "out.mp4")
    assert (folder / "notes.txt").read_text() == "precious"


def test_a_run_that_can_not_be_read_is_another(tmp_path):
    fill(open_record(tmp_path / "out.mp4", WISH, ENCODING), 1)
    (record_path(tmp_path / "out.mp4") / "run.json").write_text("[]")
    with pytest.raises(UsageError, match="another origin"):
        open_record(tmp_path / "out.mp4", WISH, ENCODING)
