"""Which encoder takes the frames: the usual one for their depth, and the next where that one refuses them."""

from dataclasses import dataclass, replace

import av
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext

from cvqe.errors import CvqeError, UsageError
from runtime.encoder_settings import EncoderOptions, configure, keeps_fields, settings
from runtime.video_info import VideoInfo

_LOSSLESS = "ffv1"
_MPEGTS_VIDEO = {"h264", "hevc", "mpeg2video", "mpeg1video", "mpeg4"}
_VIDEO = {"mpegts": _MPEGTS_VIDEO, "rtsp": _MPEGTS_VIDEO | {"vp8", "vp9", "av1"}}
# the same samples in another order, for encoders that know only one of the two
_SAME_SAMPLES = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "nv42": "yuv444p",
    "nv20le": "yuv422p10le",
    "yuv420p10le": "p010le",
    "yuv422p10le": "p210le",
}


@dataclass(frozen=True)
class ChosenEncoder:
    """An encoder that has been opened once with these frames' size and format, and didn't refuse."""

    name: str
    pixel_format: str
    options: dict[str, str]
    note: str | None = None


def choose_encoder(info: VideoInfo, options: EncoderOptions, container: str) -> ChosenEncoder:
    """Find the first encoder that takes these frames and fits the container.

    Args:
        info: size, format and colours of the frames.
        options: the user's wishes; an encoder named there is taken or refused, never replaced.
        container: FFmpeg's name of the output format.

    Raises:
        UsageError: crf and qp are both given, or an option the named encoder doesn't have.
        CvqeError: the named encoder, or every encoder, refuses.
    """
    if options.crf is not None and options.qp is not None:
        raise UsageError(
            f"crf {options.crf:g} and qp {options.qp} exclude each other; give one of --crf and --encoder-qp"
        )
    if options.encoder is not None:
        chosen = _named(options.encoder, info, options, container)
    else:
        chosen = _first_fitting(info, options, container)
    return _noting_lost_fields(chosen, info)


def _named(name: str, info: VideoInfo, options: EncoderOptions, container: str) -> ChosenEncoder:
    chosen, refusal = _tried(name, info, options, container)
    if chosen is None:
        raise CvqeError(f"{refusal}. Leave --encoder out to have one chosen, or name another:  --encoder {_LOSSLESS}")
    return chosen


def _first_fitting(info: VideoInfo, options: EncoderOptions, container: str) -> ChosenEncoder:
    refusals: list[str] = []
    for name in _candidates(info):
        chosen, refusal = _tried(name, info, options if not refusals else options.without_quality(), container)
        if chosen is None:
            refusals.append(refusal)
        else:
            return _with_note(chosen, refusals, options)
    raise CvqeError(f"no encoder takes these frames: {'; '.join(refusals)}. Write a Matroska file:  -o out.mkv")


def _candidates(info: VideoInfo) -> list[str]:
    usual = ["libx264"] if info.bit_depth == 8 or info.is_interlaced else []  # of the usual ones it alone keeps fields
    deep = ["libx265"] if info.bit_depth > 8 else []
    return [*usual, *deep, "libsvtav1", _LOSSLESS]


def _noting_lost_fields(chosen: ChosenEncoder, info: VideoInfo) -> ChosenEncoder:
    if not info.is_interlaced or keeps_fields(chosen.name):
        return chosen
    lost = f"{chosen.name} can't say that the video is interlaced: players will show both fields at once"
    return replace(chosen, note="; ".join(filter(None, [chosen.note, lost])))


def _with_note(chosen: ChosenEncoder, refusals: list[str], options: EncoderOptions) -> ChosenEncoder:
    if not refusals:
        return chosen
    quality = "losslessly" if chosen.name == _LOSSLESS else "at its usual quality"
    if options == options.without_quality() and chosen.name != _LOSSLESS:
        quality = ""
    note = f"{'; '.join(refusals)}: {chosen.name} is used instead {quality}".rstrip()
    return replace(chosen, note=note)


def _tried(name: str, info: VideoInfo, options: EncoderOptions, container: str) -> tuple[ChosenEncoder | None, str]:
    """Open an encoder on trial; give it, or why not."""
    try:
        codec = av.Codec(name, "w")
    except UnknownCodecError:
        return None, f"there is no encoder {name} in this FFmpeg"
    if not _container_holds(container, codec):
        return None, f"{container} can't hold {codec.canonical_name} video ({name})"
    pixel_format = _accepted_format(codec, info.pixel_format)
    if pixel_format is None:
        return None, f"{name} has no {info.pixel_format}"
    chosen = ChosenEncoder(name, pixel_format, settings(name, options, info))
    if not _opens(chosen, info, options.threads):
        _check_quality(chosen, info, options)
        woven = "interlaced " if info.is_interlaced else ""
        return None, f"{name} refuses {info.width}x{info.height} {woven}{info.pixel_format}"
    return chosen, ""


def _opens(chosen: ChosenEncoder, info: VideoInfo, threads: int) -> bool:
    context = av.CodecContext.create(chosen.name, "w")
    assert isinstance(context, VideoCodecContext)
    configure(context, info, chosen.pixel_format, chosen.options, threads)
    try:
        context.open()
    except av.FFmpegError:
        return False
    return True


def _check_quality(chosen: ChosenEncoder, info: VideoInfo, options: EncoderOptions) -> None:
    """Blame the user's quality or preset if the encoder opens without it."""
    plain = replace(chosen, options=settings(chosen.name, options.without_quality(), info))
    if options != options.without_quality() and _opens(plain, info, options.threads):
        asked = {"preset": options.preset, "crf": options.crf, "qp": options.qp}
        given = " ".join(f"--{name} {value}" for name, value in asked.items() if value is not None)
        raise UsageError(f"{chosen.name} doesn't take {given}; leave it out for the usual quality and speed")


def _accepted_format(codec: av.Codec, name: str) -> str | None:
    known = [fmt.name for fmt in codec.video_formats or []]
    candidates = (name, name.replace("yuvj", "yuv"), _SAME_SAMPLES.get(name))
    return next((candidate for candidate in candidates if candidate in known), None)


def _container_holds(container: str, codec: av.Codec) -> bool:
    if container in _VIDEO:  # FFmpeg would write anything, as data that nothing can play
        return codec.canonical_name in _VIDEO[container]
    with av.open("/dev/null", "w", format=container) as scratch:
        return codec.name in scratch.supported_codecs
