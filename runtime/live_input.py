"""How to read what is sent while it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LiveInput:
    """Settings of a pipe, a network address or a device; of a file `format`, `options` and `is_realtime` count too.

    Attributes:
        format: FFmpeg's name of the input format ("v4l2", "mpegts"); None lets it find out.
        options: FFmpeg's own options of the protocol and the format ({"rtsp_flags": "listen", "fifo_size": "50000"}).
        open_timeout_s: how long to wait for a sender, until its streams are known.
        stall_s: how long to wait for the next packet; a pipe has as long as its writer takes.
        give_up_s: how long to try to reach a sender that stopped, without a frame.
        is_realtime: decode with as little delay as the codec allows: threads share a picture, none has one of its own.
    """

    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    open_timeout_s: float = 10.0
    stall_s: float = 5.0
    give_up_s: float = 30.0
    is_realtime: bool = False


ORDINARY = LiveInput()
