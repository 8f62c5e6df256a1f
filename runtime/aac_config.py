"""What a header must say of AAC that came without one: in MPEG-TS every packet tells it, elsewhere the file does.

Where an output can be gone back in, muxers fill it in at the end; in a pipe it has to be right at the beginning.
AudioSpecificConfig, ISO/IEC 14496-3, 1.6.2.1: 5 bits object type, 4 sampling frequency, 4 channels, 3 zero.
"""

from av.audio.codeccontext import AudioCodecContext
from av.stream import Stream

_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_OBJECT_TYPES = {"Main": 1, "LC": 2, "SSR": 3, "LTP": 4, "HE-AAC": 2, "HE-AACv2": 2}  # the core's; SBR is found in it
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 7}


def missing_config(stream: Stream) -> bytes | None:
    """Return the AudioSpecificConfig of a stream whose container has none; None where nothing is missing or known."""
    context = stream.codec_context
    if not isinstance(context, AudioCodecContext) or context.codec.canonical_name != "aac" or context.extradata:
        return None
    is_doubled = str(context.profile).startswith("HE")  # the core has half the rate, and in version 2 one channel
    rate_hz = (context.sample_rate or 0) // (2 if is_doubled else 1)
    n_channels = 1 if context.profile == "HE-AACv2" else context.layout.nb_channels
    kind = _OBJECT_TYPES.get(str(context.profile))
    if kind is None or rate_hz not in _RATES_HZ or n_channels not in _CHANNELS:
        return None
    bits = kind << 11 | _RATES_HZ.index(rate_hz) << 7 | _CHANNELS[n_channels] << 3
    return bits.to_bytes(2, "big")
