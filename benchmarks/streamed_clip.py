"""A clip coded as streaming sites code the rungs of their ladders: constant rate factor, B-frames, fixed segments."""

from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from cvqe.errors import InputError
from cvqe.whole_file import whole_file
from training.coder import frame_rate
from training.pristine_clip import pictures_of
from training.x264_settings import ALWAYS

PRESET, CRF, N_B_FRAMES, SEGMENT_S = "medium", 30, 3, 2
TITLE = f"H.264, x264 {PRESET}, CRF {CRF},\n{N_B_FRAMES} B-frames, a keyframe every {SEGMENT_S} s"


def streamed_options(rate: Fraction) -> dict[str, str]:
    """Return FFmpeg's options of libx264; segments begin with keyframes at equal distances, and cuts bring none.

    All else is the preset's: QPs that follow content and future, psychovisual decisions, weighted prediction.
    """
    distance = round(SEGMENT_S * rate)
    params = f"bframes={N_B_FRAMES}:keyint={distance}:min-keyint={distance}:scenecut=0:{ALWAYS}"
    return {"preset": PRESET, "crf": str(CRF), "x264-params": params}


def code_as_streamed(pristine: Path, target: Path) -> Path:
    """Code a pristine clip to a Matroska file, whose folder is made.

    Raises:
        InputError: the clip can't be read, or the encoder refuses it.
    """
    rate = frame_rate(pristine)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_file(target) as file, av.open(file, "w", format="matroska") as container:
            stream = None
            for number, picture in enumerate(pictures_of(pristine)):
                if stream is None:
                    stream = container.add_stream("libx264", rate=rate, options=streamed_options(rate))
                    stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, picture.format.name
                # type 0: else the encoder would repeat the source's choice of I and P
                picture.pts, picture.time_base, picture.pict_type = number, 1 / rate, 0
                container.mux(stream.encode(picture))
            assert isinstance(stream, VideoStream)  # a clip without a frame doesn't open
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise InputError(f"{pristine}: libx264 failed ({error.strerror}); look at the clip.") from error
    return target
