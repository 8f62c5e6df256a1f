import pytest

from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.frame_qp import frame_qp
from tests.media import make_video, pattern

NO_OFFSETS = {"bf": "0", "x264-params": "ipratio=1:aq-mode=0:mbtree=0"}


def qps_of(path):
    with open_source(path) as source:
        return [frame_qp(item.picture) for item in source.items() if isinstance(item, Frame)]


@pytest.mark.parametrize("qp", [10, 27, 42])
def test_h264_tells_the_qp_it_was_made_with(tmp_path, qp):
    path = make_video(tmp_path / "in.mp4", frames=5, options={"qp": str(qp), **NO_OFFSETS})
    assert qps_of(path) == [qp] * 5


def test_h264_tells_the_mean_where_blocks_differ(tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=3, options={"crf": "30", "aq-mode": "1"})
    assert all(15 < qp < 45 for qp in qps_of(path))


def test_vp9_tells_its_base_index(tmp_path):
    path = make_video(tmp_path / "in.webm", frames=3, codec="libvpx-vp9", options={"crf": "30", "b": "0"})
    assert all(0 < qp < 256 for qp in qps_of(path))


@pytest.mark.parametrize("codec", ["libx265", "ffv1"])
def test_other_decoders_do_not_tell(tmp_path, codec):
    assert qps_of(make_video(tmp_path / "in.mkv", frames=2, codec=codec)) == [None, None]


def test_a_picture_that_was_never_coded_has_none():
    assert frame_qp(pattern(0, (16, 16), "yuv420p")) is None
