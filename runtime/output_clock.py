"""Time stamps that are still apart after a container has rounded them to a clock of its own.

source 1/90000   0 45 3600     the first two are half a millisecond apart
Matroska, ms     0  1   40     the second one moves to 46, the first that rounds to 1
"""

from fractions import Fraction
from math import ceil, floor

import av

from cvqe.errors import CvqeError

_CLOCKS = {"matroska": Fraction(1, 1000), "webm": Fraction(1, 1000), "mpegts": Fraction(1, 90_000)}
_MPEGTS_GAP_S = 2**32 / 90_000  # its 33 bits start over; past half of that a later stamp reads as an earlier one


class OutputClock:
    """Keep each picture in turn later than the last one in a container's clock; n_moved counts those that had to move.

    MP4 and MOV take over the source's clock, and nothing moves there.
    """

    def __init__(self, container: str) -> None:
        self.n_moved = 0
        self._container = container
        self._clock = _CLOCKS.get(container)
        self._last: int | None = None

    def stamp(self, picture: av.VideoFrame) -> None:
        """Move the pts of the next picture as far as it takes, less than a tick of the container's clock if it can be.

        Raises:
            CvqeError: MPEG-TS, and the picture is shown so long after the last that its clock can't tell.
        """
        if self._clock is None:
            return
        assert picture.pts is not None and picture.time_base is not None
        ratio = picture.time_base / self._clock
        if self._last is not None:
            earliest = _first_past(self._last, ratio)
            self.n_moved += picture.pts < earliest
            picture.pts = max(picture.pts, earliest)
            self._refuse_gap(_rounded(picture.pts * ratio) - self._last)
        self._last = _rounded(picture.pts * ratio)

    def _refuse_gap(self, n_ticks: int) -> None:
        assert self._clock is not None
        gap_s = float(n_ticks * self._clock)
        if self._container == "mpegts" and gap_s >= _MPEGTS_GAP_S:
            raise CvqeError(
                f"two frames are {gap_s:.0f} s apart; MPEG-TS can tell up to {_MPEGTS_GAP_S:.0f} s. "
                "Write another container:  -o out.mkv"
            )


def _first_past(tick: int, ratio: Fraction) -> int:
    """Give the first pts that rounds to a later tick."""
    half = (tick + Fraction(1, 2)) / ratio
    return ceil(half) if _rounded(ceil(half) * ratio) > tick else ceil(half) + 1


def _rounded(ticks: Fraction) -> int:
    """Round as FFmpeg does, halves away from zero."""
    return floor(ticks + Fraction(1, 2)) if ticks >= 0 else ceil(ticks - Fraction(1, 2))
