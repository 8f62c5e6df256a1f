"""A decoded picture in a format whose luma can be enhanced: packed and RGB pictures become planar."""

import av

from cvqe.pixel_format import enhanceable_format, has_luma_plane

_BT709, _LIMITED = 1, 1
_THREADS_THAT_AGREE = 1  # with more, libswscale's slices overwrite each other: 16-bit RGB came out wrong 1 time in 30


def planar_picture(picture: av.VideoFrame) -> av.VideoFrame:
    """Give the picture itself if its luma is a plane, else a copy in the nearest format where it is.

    RGB becomes BT.709 in limited range, as most players assume, and is tagged so. YUV keeps its tags.
    """
    if has_luma_plane(picture.format.name):
        return picture
    target = enhanceable_format(picture.format.name)
    if not _is_rgb(picture):
        return same_samples(picture, target)
    planar = picture.reformat(
        format=target, dst_colorspace="ITU709", dst_color_range="MPEG", threads=_THREADS_THAT_AGREE
    )
    planar.colorspace, planar.color_range = _BT709, _LIMITED
    return planar


def same_samples(picture: av.VideoFrame, target: str) -> av.VideoFrame:
    """Copy a YUV picture into another format of the same depth and subsampling, tags and all."""
    copy = picture.reformat(format=target, threads=_THREADS_THAT_AGREE)
    copy.colorspace = picture.colorspace  # reformat takes 5 for 6, the same matrix by another name
    return copy


def _is_rgb(picture: av.VideoFrame) -> bool:
    fmt = picture.format
    return fmt.is_rgb or fmt.has_palette or fmt.is_bayer
