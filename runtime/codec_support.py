"""Which coders of video this PyAV brings. Some wheels, and most builds from source, lack a few."""

from typing import Literal

import av
from av.codec.codec import UnknownCodecError

DECODERS = ("h264", "hevc", "av1", "vp9")
ENCODERS = ("libx264", "libx265", "libsvtav1", "ffv1", "hevc_nvenc")


def supported_codecs() -> tuple[dict[str, bool], dict[str, bool]]:
    """Tell which of DECODERS and of ENCODERS are there; one for a GPU may be there without one."""
    return {name: _exists(name, "r") for name in DECODERS}, {name: _exists(name, "w") for name in ENCODERS}


def _exists(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        av.Codec(name, mode)
    except UnknownCodecError:
        return False
    return True
