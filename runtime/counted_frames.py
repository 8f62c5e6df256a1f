"""Numbers of frames in words."""


def counted_frames(count: int) -> str:
    """Return "1 frame" or "2 frames"."""
    return f"{count} frame{'s' * (count != 1)}"
