"""Values of options, read for argparse: a mistake is told with what was expected."""

import argparse
from collections.abc import Callable


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""
    bounds = f"from {lowest} up" if highest is None else f"from {lowest} to {highest}"

    def read(text: str) -> int:
        is_number = text.strip().removeprefix("-").isdecimal()
        if not is_number or int(text) < lowest or (highest is not None and int(text) > highest):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number {bounds}")
        return int(text)

    return read


def frame_size(text: str) -> tuple[int, int]:
    """Read 416x240 as (height, width)."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; one such as 416x240 was expected")
    return int(height), int(width)


def qp_or_auto(text: str) -> int | None:
    """Read a quantiser of the HEVC scale, or `auto` for what the stream tells."""
    if text == "auto":
        return None
    try:
        return whole_number(0, 51)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, nor auto") from error


def crf(text: str) -> float:
    """Read a constant quality: from 0 to 63, the widest scale an encoder has."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 63:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 63")
    return value


def seconds(text: str) -> float:
    """Read a time, fractions included."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def some_seconds(text: str) -> float:
    """Read a time that is longer than none."""
    value = seconds(text)
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r} is too short")
    return value


def key_value(text: str) -> tuple[str, str]:
    """Read KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return key, value
