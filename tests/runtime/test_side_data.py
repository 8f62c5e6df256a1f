import gc

import av
import pytest

from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.side_data import attached, side_data
from tests.media import make_video

FRAMES = 50


def n_pictures() -> int:
    """Those that other tests left alive are among them."""
    return sum(type(each) is av.VideoFrame for each in gc.get_objects())


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_what_is_attached_is_found_by_name(tmp_path):
    with open_source(make_video(tmp_path / "in.mp4", rotation=90)) as source:
        picture = next(item.picture for item in source.items() if isinstance(item, Frame))
        assert len(side_data(picture, "DISPLAYMATRIX")) == 36
        assert side_data(picture, "CONTENT_LIGHT_LEVEL") is None
        assert attached(picture).get("VIDEO_ENC_PARAMS") is not None


def test_no_picture_waits_for_the_garbage_collector(tmp_path, no_collector):
    """Each would keep its samples until then: a megabyte and more at 720p."""
    path = make_video(tmp_path / "in.mp4", frames=FRAMES, rotation=90)
    before = n_pictures()
    with open_source(path) as source:
        for _ in source.items():
            pass
        assert n_pictures() - before < FRAMES / 5
