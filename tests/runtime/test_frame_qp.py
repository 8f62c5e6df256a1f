import pytest

from cvqe.frame import Frame
from runtime.decoder import open_source
from runtime.frame_qp import frame_qp
from runtime.vp9_qp import qp_from_vp9
from tests.media import make_video, pattern

NO_OFFSETS = {"bf": "0", "x264-params": "ipratio=1:aq-mode=0:mbtree=0"}


def qps_of(path):
    with open_source(path) as source:
        frames = [item for item in source.items() if isinstance(item, Frame)]
    assert [frame.qp for frame in frames] == [frame_qp(frame.picture) for frame in frames]
    return [frame.qp for frame in frames]


@pytest.mark.parametrize("qp", [10, 27, 42])
def test_h264_tells_the_qp_it_was_made_with(tmp_path, qp):
    path = make_video(tmp_path / "in.mp4", frames=5, options={"qp": str(qp), **NO_OFFSETS})
    assert qps_of(path) == [qp] * 5


def test_h264_of_ten_bits_is_on_the_scale_of_eight(tmp_path):
    # x264 counts from the smallest QP of the depth, as FFmpeg does: 12 below 0
    path = make_video(tmp_path / "in.mp4", frames=3, pix_fmt="yuv420p10le", options={"qp": "42", **NO_OFFSETS})
    assert qps_of(path) == [30] * 3


def test_h264_tells_the_mean_where_blocks_differ(tmp_path):
    path = make_video(tmp_path / "in.mp4", frames=3, options={"crf": "30", "aq-mode": "1"})
    assert all(15 < qp < 45 for qp in qps_of(path))


@pytest.mark.parametrize("quantizer, index", [(10, 40), (32, 128), (63, 255)])  # libvpx's own scale has 64 steps
def test_vp9_tells_its_base_index_as_a_qp(tmp_path, quantizer, index):
    flat = {"qmin": str(quantizer), "qmax": str(quantizer), "crf": str(quantizer), "b": "0", "aq-mode": "0"}
    path = make_video(tmp_path / "in.webm", frames=3, codec="libvpx-vp9", options=flat)
    assert qps_of(path) == pytest.approx([qp_from_vp9(index)] * 3)


@pytest.mark.parametrize("codec", ["libsvtav1", "mpeg4", "ffv1"])
def test_other_decoders_do_not_tell(tmp_path, codec):
    assert qps_of(make_video(tmp_path / "in.mkv", frames=2, codec=codec)) == [None, None]


def test_a_picture_that_was_never_coded_has_none():
    assert frame_qp(pattern(0, (16, 16), "yuv420p")) is None
