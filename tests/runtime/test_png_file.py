import av
import numpy as np
import pytest

from cvqe.errors import CvqeError
from runtime.png_file import save_png


def test_a_picture_comes_back_bit_for_bit(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    save_png(rgb, tmp_path / "a b.png")
    with av.open(str(tmp_path / "a b.png")) as container:
        (frame,) = container.decode(video=0)
    np.testing.assert_array_equal(frame.to_ndarray(format="rgb24"), rgb)
    assert [path.name for path in tmp_path.iterdir()] == ["a b.png"]


def test_another_file_of_the_same_stem_is_left_alone(tmp_path):
    (tmp_path / "a.tmp").write_text("mine")
    save_png(np.zeros((2, 2, 3), np.uint8), tmp_path / "a.png")
    assert (tmp_path / "a.tmp").read_text() == "mine"


def test_a_folder_that_is_gone_is_said(tmp_path):
    with pytest.raises(CvqeError, match="can't be written"):
        save_png(np.zeros((2, 2, 3), np.uint8), tmp_path / "gone" / "a.png")
