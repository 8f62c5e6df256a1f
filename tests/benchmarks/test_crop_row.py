"""A row shows one place of one frame, by networks that have seen all frames before."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.crop_place import SIDE_PX, CropPlace
from benchmarks.crop_row import DECODED, ORIGINAL, crop_row, plane_of
from cvqe.errors import InputError, UsageError
from cvqe.metrics import psnr_db
from tests.media import make_video
from tests.recurrent import save_counting_network
from training.evaluation.cases import Case
from training.evaluation.onnx_network import OnnxNetwork
from training.evaluation.subject import Decoded
from training.luma_clips import load_luma

WIDTH, HEIGHT, N_FRAMES = 112, 96, 6
PLACE = CropPlace("a", 3, 20, 9)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    sizes = {"frames": N_FRAMES, "size": (WIDTH, HEIGHT)}
    pristine = make_video(folder / "a.mkv", codec="ffv1", **sizes)
    coded = make_video(folder / "coded.mkv", codec="libx264", options={"qp": "40"}, **sizes)
    return Case("a", "ldp", 40, pristine, coded)


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    path = save_counting_network(tmp_path_factory.mktemp("network") / "counting.onnx")
    return OnnxNetwork("counting", str(path), "onnxruntime", "fp32", threads=1)


def test_columns_show_the_place_and_its_psnr(case, counting):
    row = crop_row(PLACE, case, "x264", {"Counting": counting})
    pristine, decoded = load_luma(case.pristine)[3], load_luma(case.coded)[3]
    area = (slice(9, 9 + SIDE_PX), slice(20, 20 + SIDE_PX))
    assert [crop.title for crop in row.crops] == [DECODED, "Counting", ORIGINAL]
    np.testing.assert_array_equal(row.crops[0].plane, decoded[area])
    np.testing.assert_array_equal(row.crops[-1].plane, pristine[area])
    np.testing.assert_array_equal(row.frame, decoded)
    before, after = (psnr_db(pristine[area], crop.plane) for crop in row.crops[:2])
    assert (row.crops[0].psnr_db, row.crops[1].psnr_db) == (before, after)
    assert row.gain_db(row.crops[1]) == after - before != 0


def test_a_recurrent_network_goes_on_from_the_first_frame_of_each_clip(case, counting):
    """Its levels count the frames that it remembers."""
    for number in (4, 0, 4):
        assert np.unique(plane_of(counting, case, replace(PLACE, frame=number))).tolist() == [number + 1]


@pytest.mark.parametrize(
    "change, words",
    [({"frame": N_FRAMES}, "ends before frame 6"), ({"left": 33}, "X up to 32"), ({"top": 17}, "Y up to 16")],
)
def test_a_place_outside_is_refused(case, change, words):
    with pytest.raises(UsageError, match=words):
        crop_row(replace(PLACE, **change), case, "x264", {})


def test_deeper_video_is_refused(case, tmp_path):
    deep = make_video(tmp_path / "deep.mkv", frames=2, size=(WIDTH, HEIGHT), codec="ffv1", pix_fmt="yuv420p10le")
    with pytest.raises(InputError, match="has 10 bits"):
        plane_of(Decoded(), replace(case, coded=deep), PLACE)
