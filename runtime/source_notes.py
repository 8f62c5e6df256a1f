"""What the user should know about a source, a sentence each; None where there is nothing to say."""

from runtime.video_info import VideoInfo


def format_note(info: VideoInfo) -> str | None:
    """Say that frames are converted for the network's sake."""
    if info.decoded_format == info.pixel_format:
        return None
    return f"{info.decoded_format} frames are converted to {info.pixel_format} to reach their luma"


def crop_note(info: VideoInfo) -> str | None:
    """Say that the output shows what a player of the input would cut off."""
    if info.shown_size is None:
        return None
    width, height = info.shown_size
    return (
        f"the container shows {width}x{height} of the {info.width}x{info.height} pixels; that can't be kept: all are "
        "shown"
    )


def leading_note(n_lost: int, is_live: bool) -> str | None:
    """Say what was sent before the first frame, and can't be shown."""
    if not n_lost:
        return None
    if is_live:
        return f"{n_lost} {'packet' if n_lost == 1 else 'packets'} came before a whole picture did: passed over"
    what, verb = ("picture", "refers") if n_lost == 1 else ("pictures", "refer")
    return f"{n_lost} leading {what} {verb} to frames before the start and can't be decoded: left out"


def restarts_note(n_restarts: int) -> str | None:
    """Say that the clock was mended."""
    return f"time stamps start over ({n_restarts} x); they are made to go on instead" if n_restarts else None


def reconnects_note(n_reconnects: int) -> str | None:
    """Say that frames are missing where the sender was away."""
    if not n_reconnects:
        return None
    return f"the sender stopped and was reached again ({n_reconnects} x); what it sent in between is missing"
