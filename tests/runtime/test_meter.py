"""Gains measured on files made here."""

import numpy as np
import pytest

from cvqe.errors import InputError
from cvqe.metrics import psnr_db
from runtime.decoder import open_source
from runtime.meter import FLAT_DB, Meter, levels, written_gains
from tests.media import make_video


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_the_gain_is_the_mean_of_the_frames_gains(tmp_path, pix_fmt):
    pristine = make_video(tmp_path / "pristine.mkv", frames=3, size=(32, 24), codec="ffv1", pix_fmt=pix_fmt)
    with open_source(pristine) as source:
        frames = [levels(item.luma).astype(int) for item in source.items()]
        bits = source.info.bit_depth
    meter = Meter(pristine, 32, 24, bits)
    raw = (
        (lambda plane: plane.astype(np.uint8))
        if bits == 8
        else (lambda plane: plane.astype("<u2")[..., None].view("u1"))
    )
    for number, frame in enumerate(frames):
        meter.measure(raw(frame + 4), raw(frame + 1 + number))
    meter.close()
    peak = 2.0**bits - 1
    expected = np.mean([psnr_db(f, f + 1 + n, peak) - psnr_db(f, f + 4, peak) for n, f in enumerate(frames)])
    assert meter.gains.delta_psnr_db == pytest.approx(expected)
    assert len(meter.gains.before_ssim) == 3


def test_equal_frames_count_as_a_large_finite_psnr(tmp_path):
    pristine = make_video(tmp_path / "pristine.mkv", frames=2, size=(32, 24), codec="ffv1")
    gains = written_gains(pristine, pristine, pristine, None)
    assert gains.before_db == [FLAT_DB] * 2
    assert gains.delta_psnr_db == 0


def test_a_reference_that_is_another_video_is_refused(tmp_path):
    long = make_video(tmp_path / "long.mkv", frames=5, size=(32, 24), codec="ffv1")
    short = make_video(tmp_path / "short.mkv", frames=3, size=(32, 24), codec="ffv1")
    assert len(written_gains(short, long, long, None).before_db) == 3
    with pytest.raises(InputError, match="very original"):
        Meter(short, 64, 24, 8)
