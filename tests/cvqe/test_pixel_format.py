import av
import numpy as np
import pytest
from av.video.format import names

from cvqe.errors import InputError
from cvqe.frame import luma_view
from cvqe.pixel_format import bit_depth, enhanceable_format, has_luma_plane, peak
from runtime.planar_picture import planar_picture
from tests.media import pattern, plane_bytes

# libswscale has no reader for these
UNREADABLE = {"bgr4", "rgb4", "v30xbe", "x2bgr10be", "x2rgb10be", "xv30be", "y210be", "y212be", "y216be"}
UNREADABLE |= {name for name in names if "32" in name and not name.startswith(("gbrpf", "rgbf", "grayf", "gbrapf"))}
UNREADABLE |= {"rgbaf32be", "rgbaf32le", "rgba128be", "rgba128le", "rgb96be", "rgb96le", "yaf32be", "yaf32le"}


@pytest.mark.parametrize(
    "name, depth, largest", [("yuv420p", 8, 255), ("nv12", 8, 255), ("gray10le", 10, 1023), ("yuv444p16le", 16, 65535)]
)
def test_depth_and_peak_are_those_of_luma(name, depth, largest):
    assert (bit_depth(name), peak(name)) == (depth, largest)


@pytest.mark.parametrize(
    "name, planar",
    [
        ("yuvj422p", "yuvj422p"),
        ("yuva420p10le", "yuva420p10le"),
        ("nv21", "nv21"),
        ("p010le", "yuv420p10le"),
        ("p416be", "yuv444p16le"),
        ("yuyv422", "yuv422p"),
        ("y212le", "yuv422p12le"),
        ("uyyvyy411", "yuv411p"),
        ("rgb24", "yuv444p"),
        ("bgra", "yuva444p"),
        ("gbrp9le", "yuv444p9le"),
        ("gbrap14le", "yuva444p16le"),  # there is no 14 bit with alpha
        ("yuv420p10be", "yuv420p10le"),
        ("gray16be", "gray16le"),
        ("monow", "gray"),
        ("pal8", "yuv444p"),
    ],
)
def test_other_formats_keep_depth_subsampling_and_alpha(name, planar):
    assert enhanceable_format(name) == planar


def test_frames_of_a_gpu_are_refused():
    with pytest.raises(InputError, match="pixel format cuda"):
        enhanceable_format("cuda")


@pytest.mark.parametrize("name", sorted(set(names) - UNREADABLE))
def test_every_format_of_ffmpeg_has_luma_to_enhance(name):
    try:
        planar = enhanceable_format(name)
    except InputError:
        assert not av.VideoFormat(name).components
        return
    assert has_luma_plane(planar)
    if name != planar:
        assert planar_picture(av.VideoFrame(33, 17, name)).format.name == planar


def test_p010_luma_comes_out_exactly():
    picture = av.VideoFrame(33, 17, "p010le")
    samples = np.random.default_rng(0).integers(0, 1024, (17, 33)).astype("<u2")
    rows = np.frombuffer(memoryview(picture.planes[0]), np.uint8).reshape(17, -1)
    rows[:, :66] = (samples << 6).view(np.uint8)
    luma = luma_view(planar_picture(picture))
    np.testing.assert_array_equal(np.ascontiguousarray(luma).view("<u2")[..., 0], samples)


def test_converting_wide_rgb_gives_the_same_picture_every_time():
    pictures = {tuple(plane_bytes(planar_picture(pattern(1, (40, 17), "gbrp16le")))) for _ in range(200)}
    assert len(pictures) == 1


def test_rgb_is_tagged_as_what_it_becomes():
    planar = planar_picture(pattern(0, (16, 16), "rgb24"))
    assert (planar.colorspace, planar.color_range) == (1, 1)
