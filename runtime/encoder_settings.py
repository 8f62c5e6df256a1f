"""How an encoder is set up: the user's quality in the encoder's own words, and the source's tags."""

import os
from dataclasses import dataclass, replace

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from cvqe.errors import UsageError
from runtime.video_info import VideoInfo

_DEFAULTS = {
    # even quantisation: the input's own noise is spread already; adaptive cost 0.15 dB of the gain, this 0.08
    "libx264": {"preset": "veryfast", "crf": "14", "aq-mode": "0"},
    "libx265": {"preset": "veryfast", "crf": "14"},
    "libsvtav1": {"preset": "8", "crf": "17"},  # of 63, where x264's 14 is of 51
}
# no picture is held back to look at later ones
_LIVE = {"libx264": {"tune": "zerolatency"}, "libx265": {"tune": "zerolatency"}}
_NARROW_PX = 16  # FFV1 cuts pictures into slices of its own accord, and refuses what is too narrow for its usual ones
KEYFRAME_S = 2  # of a live stream: so long waits who joins it
_WEAVERS = {"libx264", "ffv1", "mpeg2video", "prores_ks"}  # what they write is interlaced, each frame in its own order


@dataclass(frozen=True)
class EncoderOptions:
    """What a user may ask of the encoder; None leaves it to us.

    Attributes:
        encoder: FFmpeg's name, like "libx265" or "hevc_nvenc".
        crf, qp: constant quality, constant quantiser; one of them, in the encoder's own scale.
        preset: the encoder's own word for speed.
        threads: 0 means as many as there are cores.
        is_live: give every picture out at once, and a key frame every two seconds for those who join.
    """

    encoder: str | None = None
    crf: float | None = None
    qp: int | None = None
    preset: str | None = None
    threads: int = 0
    is_live: bool = False

    def without_quality(self) -> "EncoderOptions":
        """Drop what was said in the words of an encoder that isn't used."""
        return replace(self, crf=None, qp=None, preset=None)


def settings(name: str, options: EncoderOptions, info: VideoInfo) -> dict[str, str]:
    """Spell quality, speed and HDR10 metadata as this encoder's options.

    Raises:
        UsageError: the encoder has no such option.
    """
    chosen = dict(_DEFAULTS.get(name, {}))
    if options.qp is not None:
        for of_constant_quality in ("crf", "aq-mode"):
            chosen.pop(of_constant_quality, None)
    if options.is_live:
        chosen |= _LIVE.get(name, {}) | {"g": str(round(KEYFRAME_S * info.average_rate) or 1)}
    known = {option.name for option in av.CodecContext.create(name, "w").supported_options.private}
    for option, value in (("crf", options.crf), ("qp", options.qp), ("preset", options.preset)):
        if value is not None:
            chosen[_spelled(name, option, known)] = f"{value:g}" if isinstance(value, float) else str(value)
    return chosen | _own_params(name, options, info)


def keeps_fields(name: str) -> bool:
    """Tell whether an encoder can write interlaced video; to others every frame is a picture of one moment."""
    return name in _WEAVERS


def configure(
    context: VideoCodecContext, info: VideoInfo, pixel_format: str, options: dict[str, str], threads: int
) -> None:
    """Prepare an encoder that isn't open yet: size, clock, aspect, fields, colours, options."""
    context.width, context.height, context.pix_fmt = info.width, info.height, pixel_format
    context.time_base, context.framerate = info.time_base, info.average_rate
    if info.sample_aspect_ratio is not None:
        context.sample_aspect_ratio = info.sample_aspect_ratio
    context.thread_count = threads
    context.flags |= Flags.frame_duration
    if info.field_order is not None:
        context.field_order = info.field_order  # for the container; in the stream it stands with every frame
        if keeps_fields(context.name):
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
    context.options = options
    info.color.apply(context)


def _spelled(name: str, option: str, known: set[str]) -> str:
    if option in known:
        return option
    if option == "crf" and "cq" in known:  # NVENC's constant quality
        return "cq"
    typed = "encoder-qp" if option == "qp" else option
    raise UsageError(f"{name} has no option {option}; leave --{typed} out")


def _own_params(name: str, options: EncoderOptions, info: VideoInfo) -> dict[str, str]:
    """Give what an encoder takes only in a string of its own."""
    if name == "libx265":
        # without cutree: x265 4.2 damages its heap there on 10-bit pictures of less than a coding tree unit
        params = ["log-level=none", "cutree=0"]
        params += [f"pools={options.threads}"] if options.threads else []
        params += info.hdr10.x265_params() if info.hdr10 else []
        return {"x265-params": ":".join(params), "a53cc": "1"}  # captions, which libx264 keeps unasked
    if name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "0")  # its only way to be quiet
        return {"svtav1-params": f"lp={options.threads}"} if options.threads else {}
    if name == "ffv1":
        return {"slicecrc": "1", **({"slices": "1"} if min(info.width, info.height) < _NARROW_PX else {})}
    return {}
