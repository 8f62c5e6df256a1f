"""What is said of a video before its first frame is enhanced."""

from runtime.decoder import open_source
from runtime.encoder import open_sink
from tests.media import add_dolby_vision, add_hdr10_plus, make_video


def notes_on(path):
    """Return what is said of the metadata, and by whom it is written."""
    with open_source(path) as source, open_sink(path.with_name("out.mkv"), source) as sink:
        return source.info.dynamic_hdr, sink.notes


def hevc(path, **options):
    params = {"x265-params": "log-level=none:aud=1"}
    return make_video(path, codec="libx265", pix_fmt="yuv420p10le", frames=4, options=params, **options)


def test_hdr10_plus_is_named_and_said_to_be_left_out(tmp_path):
    path = hevc(tmp_path / "in.hevc")
    assert notes_on(path)[0] == ()
    add_hdr10_plus(path)
    found, notes = notes_on(path)
    assert found == ("HDR10+",)
    assert "HDR10+ metadata describes the old pixels and is left out" in notes


def test_dolby_vision_with_a_compatible_picture_is_named_and_said_to_be_left_out(tmp_path):
    path = hevc(tmp_path / "in.mp4")
    add_dolby_vision(path, profile=8, compatibility=1)
    found, notes = notes_on(path)
    assert found == ("Dolby Vision",)
    assert "Dolby Vision metadata describes the old pixels and is left out" in notes


def test_fields_that_come_as_pictures_are_told_from_woven_ones(tmp_path):
    params = {"x265-params": "log-level=none:interlace=tff"}
    path = make_video(tmp_path / "in.mkv", codec="libx265", options=params)
    with open_source(path) as source:
        assert (source.info.is_field_sequence, source.info.is_interlaced) == (True, False)
