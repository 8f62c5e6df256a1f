"""How coarsely a frame was quantised, where its decoder tells."""

import av
import numpy as np
from av.sidedata.encparams import VideoEncParams, VideoEncParamsType

from runtime.side_data import attached
from runtime.vp9_qp import qp_from_vp9

# to be set on a decoder before it opens; H.264 and VP9 heed it
EXPORT_QP = {"export_side_data": "venc_params"}
_DELTA_QP_COLUMN = 4  # of src_x, src_y, w, h, delta_qp in AVVideoBlockParams
_QPS_A_BIT = 6


def frame_qp(picture: av.VideoFrame) -> float | None:
    """Give a frame's luma quantiser on the scale of H.264 and HEVC, 0 to 51 and below 0 above eight bits.

    H.264: the mean of its macroblocks. VP9: that of the frame's base index; segments that differ are not looked at.

    None for other codecs, whose decoders keep it to themselves, and for pictures that no decoder made.
    """
    params = _encoding_params(picture)
    if params is None:
        return None
    if params.codec_type == VideoEncParamsType.VP9:
        return qp_from_vp9(params.qp)
    if params.codec_type != VideoEncParamsType.H264:
        return None
    # FFmpeg counts from the smallest QP of the depth: 12 below 0 at 10 bit
    return _mean_qp(params) - _QPS_A_BIT * (picture.format.components[0].bits - 8)


def _encoding_params(picture: av.VideoFrame) -> VideoEncParams | None:
    found = attached(picture).get("VIDEO_ENC_PARAMS")
    return found if isinstance(found, VideoEncParams) else None


def _mean_qp(params: VideoEncParams) -> float:
    """Return the mean over macroblocks, on FFmpeg's scale.

    Those at 0 are left out where others are not: with frame threads FFmpeg may hand out a picture's table before
    another thread has filled it, and a zero is then no lossless block but one to come.
    """
    if not params.nb_blocks:
        return float(params.qp)
    data = memoryview(params)[params.blocks_offset :]  # type: ignore[arg-type]  # a Buffer, though the stubs don't say so
    n_columns = params.block_size // 4
    deltas = np.frombuffer(data, np.int32, params.nb_blocks * n_columns)[_DELTA_QP_COLUMN::n_columns]
    n_filled = int(np.count_nonzero(deltas != -params.qp))
    # zeros add -qp each; the sum is several times faster than mean(), and needed for every frame
    filled = int(np.add.reduce(deltas)) + params.qp * (params.nb_blocks - n_filled)
    return params.qp + filled / n_filled if n_filled else 0.0
