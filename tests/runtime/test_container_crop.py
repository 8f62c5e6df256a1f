import struct

import pytest

from runtime.container_crop import container_crop
from runtime.decoder import open_source
from tests.media import add_sample_box, make_video, opened

DISPLAY_UNIT, PIXEL_CROP_LEFT, PIXEL_CROP_BOTTOM = b"\x54\xb2", b"\x54\xcc", b"\x54\xaa"  # Matroska's numbers


def crop_of(path):
    with opened(path) as container:
        return container_crop(container, container.streams.video[0])


def with_aperture(path, *numbers):
    add_sample_box(make_video(path), b"clap", struct.pack(">8i", *numbers))
    return path


def with_pixel_crop(path, side):
    """Let what Matroska says of the unit of its sizes, a 4, say what is cut off."""
    data = make_video(path).read_bytes()
    assert data.count(DISPLAY_UNIT + b"\x81\x04") == 1
    path.write_bytes(data.replace(DISPLAY_UNIT + b"\x81\x04", side + b"\x81\x04"))
    return path


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_the_clean_aperture_is_read(tmp_path, ending):
    assert crop_of(with_aperture(tmp_path / f"in.{ending}", 60, 1, 80, 2, 0, 1, -4, 2)) == (60, 40)


@pytest.mark.parametrize("numbers", [(64, 1, 48, 1, 0, 1, 0, 1), (64, 0, 48, 0, 0, 0, 0, 0)])
def test_an_aperture_of_all_or_of_nonsense_is_none(tmp_path, numbers):
    assert crop_of(with_aperture(tmp_path / "in.mp4", *numbers)) is None


@pytest.mark.parametrize("side, left", [(PIXEL_CROP_LEFT, (60, 48)), (PIXEL_CROP_BOTTOM, (64, 44))])
def test_what_matroska_cuts_off_is_read(tmp_path, side, left):
    assert crop_of(with_pixel_crop(tmp_path / "in.mkv", side)) == left


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts"])
def test_usual_files_cut_nothing_off(tmp_path, ending):
    assert crop_of(make_video(tmp_path / f"in.{ending}")) is None


def test_the_user_is_told(tmp_path):
    with open_source(with_aperture(tmp_path / "in.mp4", 60, 1, 40, 1, 0, 1, 0, 1)) as source:
        assert "the container shows 60x40 of the 64x48 pixels; that can't be kept: all are shown" in source.notes
