"""Where a figure looks: a frame of a clip, and the corner of a square in it."""

import re
from dataclasses import dataclass

from cvqe.errors import UsageError

SIDE_PX = 80
STREAMED = "x264"  # says that the clip is to be coded as a streaming site codes
FORM = re.compile(rf"(?P<coder>{STREAMED}/)?(?P<clip>[^:/]+):(?P<frame>\d+):(?P<left>\d+):(?P<top>\d+)")


@dataclass(frozen=True)
class CropPlace:
    """A square of SIDE_PX x SIDE_PX; frames count from 0, px from the upper left corner."""

    clip: str
    frame: int
    left: int
    top: int
    is_streamed: bool = False

    def __str__(self) -> str:
        coder = f"{STREAMED}/" * self.is_streamed
        return f"{coder}{self.clip}:{self.frame}:{self.left}:{self.top}"

    @property
    def area(self) -> tuple[slice, slice]:
        """Rows and columns, to index a plane with."""
        return slice(self.top, self.top + SIDE_PX), slice(self.left, self.left + SIDE_PX)

    def refuse_outside(self, height: int, width: int) -> None:
        """Check that the whole square is in a frame.

        Raises:
            UsageError: it is not.
        """
        if self.left + SIDE_PX > width or self.top + SIDE_PX > height:
            raise UsageError(
                f"--row {self}: a square of {SIDE_PX}x{SIDE_PX} at ({self.left}, {self.top}) leaves the "
                f"{width}x{height} frame; give X up to {width - SIDE_PX} and Y up to {height - SIDE_PX}."
            )


def place_from_text(text: str) -> CropPlace:
    """Read CLIP:FRAME:X:Y, or x264/CLIP:FRAME:X:Y.

    Raises:
        UsageError: it is something else.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--row {text} is no place; give CLIP:FRAME:X:Y or {STREAMED}/CLIP:FRAME:X:Y, as {DEFAULTS[0]}."
        )
    frame, left, top = map(int, found.group("frame", "left", "top"))
    return CropPlace(found["clip"], frame, left, top, found["coder"] is not None)


# a face and a shirt, a face, a crowd, and a horse with poles: what people look at, chosen on the originals alone. The
# frames of low delay are none of its best ones, which are every fourth
DEFAULTS = (
    CropPlace("basketballpass_416x240", 18, 226, 36),
    CropPlace("foreman_cif_352x288", 7, 184, 84),
    CropPlace("crowd_run_640x360", 7, 470, 280),
    CropPlace("davis_horsejump-high_416x240", 22, 120, 30, is_streamed=True),
)
