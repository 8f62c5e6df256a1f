"""How coarsely a frame was quantised, where its decoder tells."""

import av
import numpy as np
from av.sidedata.encparams import VideoEncParams, VideoEncParamsType

# to be set on a decoder before it opens; H.264 and VP9 heed it
EXPORT_QP = {"export_side_data": "venc_params"}
_DELTA_QP_COLUMN = 4  # of src_x, src_y, w, h, delta_qp in AVVideoBlockParams


def frame_qp(picture: av.VideoFrame) -> float | None:
    """Give a frame's quantiser: the mean luma QP of H.264's macroblocks (0 to 51), VP9's base index (0 to 255).

    None for other codecs, whose decoders keep it to themselves, and for pictures that no decoder made.
    """
    params = _encoding_params(picture)
    if params is None:
        return None
    if params.codec_type == VideoEncParamsType.VP9:
        return float(params.qp)
    if params.codec_type != VideoEncParamsType.H264:
        return None
    return params.qp + _mean_delta(params)


def _encoding_params(picture: av.VideoFrame) -> VideoEncParams | None:
    try:
        found = picture.side_data.get("VIDEO_ENC_PARAMS")
    except ValueError:  # PyAV gives up on all side data when it meets a kind that it doesn't know
        return None
    return found if isinstance(found, VideoEncParams) else None


def _mean_delta(params: VideoEncParams) -> float:
    if not params.nb_blocks:
        return 0.0
    data = memoryview(params)[params.blocks_offset :]  # type: ignore[arg-type]  # a Buffer, though the stubs don't say so
    blocks = np.frombuffer(data, np.int32, params.nb_blocks * params.block_size // 4)
    return float(blocks.reshape(params.nb_blocks, -1)[:, _DELTA_QP_COLUMN].mean())
