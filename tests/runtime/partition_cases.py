"""HEVC files with many kinds of blocks, coded in the test; and a partition small enough to count by hand."""

from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from cvqe.partition import INTER, INTRA, SKIPPED, Partition, ShownWindow
from tests.runtime.hevc.streams import HM_TREES, X265_ALWAYS, frame

ALL_INTRA = f"qp=37:keyint=1:bframes=0:ipratio=1:aq-mode=0:{HM_TREES}"
WITH_B = f"crf=30:aq-mode=2:keyint=8:bframes=3:b-adapt=0:{HM_TREES}"
SIZE = (200, 120)  # of a coded picture of 200x120: no coding tree fits, and the smallest coding block does
CROPPED = (146, 82)  # of a coded picture of 152x88


def hevc_file(
    path: Path,
    params: str = WITH_B,
    n_frames: int = 5,
    size: tuple[int, int] = SIZE,
    pix_fmt: str = "yuv420p",
    codec: str = "libx265",
) -> Path:
    """Write a video in the container that the ending names; `.hevc` is a raw stream."""
    raw = "hevc" if path.suffix == ".hevc" else None
    with av.open(str(path), "w", format=raw) as container:
        video = container.add_stream(codec, rate=25)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = *size, pix_fmt
        video.codec_context.options = {"x265-params": f"{X265_ALWAYS}:{params}"} if codec == "libx265" else {}
        for number in range(n_frames):
            container.mux(video.encode(frame(number, size, pix_fmt)))
        container.mux(video.encode(None))
    return path


def made_partition() -> Partition:
    """Return a coded picture of 32x16 of which 30x14 are shown, two coding units of 16x16.

    left: intra, QP 30, divided into transforms of 8x8, its first one into 4x4; right: skipped, QP 34, not divided.
    """
    transform = np.full((4, 8), 3, np.uint8)
    transform[:2, :2] = 2
    transform[:, 4:] = 4
    mode = np.full((4, 8), INTRA, np.uint8)
    mode[:, 4:] = SKIPPED
    qp = np.full((4, 8), 30, np.int8)
    qp[:, 4:] = 34
    window = ShownWindow(left=0, top=0, width=30, height=14)
    return Partition(transform, np.full((4, 8), 4, np.uint8), mode, qp, window, "P")


__all__ = ["ALL_INTRA", "CROPPED", "INTER", "SIZE", "WITH_B", "hevc_file", "made_partition"]
