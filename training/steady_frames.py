"""Frames of a clip as they were decoded: the runtime converts those of another size, a measurement can't use them."""

from collections.abc import Iterator

from cvqe.errors import InputError
from cvqe.frame import Frame
from runtime.decoder import Source


def steady_frames(source: Source) -> Iterator[Frame]:
    """Yield a source's frames in order.

    Raises:
        InputError: one has another size or pixel format than the first.
    """
    for item in source.items():
        if not isinstance(item, Frame):
            continue
        if source.n_converted:
            raise InputError(
                f"{source.path} changes its size or pixel format at frame {item.number}; split the clip there."
            )
        yield item
