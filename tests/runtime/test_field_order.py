"""Which field comes first, as the frames of real files tell it."""

import pytest

from cvqe.frame import luma_view, with_luma
from runtime.decoder import open_source
from runtime.field_order import BOTTOM_FIRST, TOP_FIRST, field_order
from tests.media import make_video, pattern, with_fields

ORDERS = {"tff": TOP_FIRST, "bff": BOTTOM_FIRST}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "gray"])
def test_a_marked_frame_tells_its_order_and_so_does_the_same_with_new_luma(order, pixel_format):
    picture = with_fields(pattern(0, (64, 48), pixel_format), order)
    enhanced = with_luma(picture, luma_view(picture)[::-1])
    assert enhanced.interlaced_frame
    assert field_order(picture) == field_order(enhanced) == ORDERS[order]


def test_an_odd_height_counts_as_top_field_first():
    assert field_order(with_fields(pattern(0, (64, 47), "yuv444p"), "bff")) == TOP_FIRST


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name, codec", [("in.mp4", "libx264"), ("in.ts", "mpeg2video"), ("in.mkv", "ffv1")])
def test_a_source_knows_the_order_of_its_fields(tmp_path, order, name, codec):
    with open_source(make_video(tmp_path / name, codec=codec, fields=order)) as source:
        assert source.info.is_interlaced
        assert source.info.field_order == ORDERS[order]


def test_fields_that_come_as_pictures_of_their_own_are_not_interlaced(tmp_path):
    options = {"x265-params": "log-level=none:interlace=tff"}
    with open_source(make_video(tmp_path / "in.mkv", codec="libx265", options=options)) as source:
        assert not source.info.is_interlaced
