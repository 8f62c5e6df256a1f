"""What all pictures of results share: their library, which is imported when it is needed, and their colours."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle
from typing import TYPE_CHECKING

from cvqe.errors import BackendError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install -c constraints.txt matplotlib"
# Okabe and Ito's palette, which the colour-blind can tell apart; grey is the decoded video's
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DECODED_COLOR = "#9a9a9a"
DPI = 110
Inch = float


@dataclass(frozen=True)
class Style:
    """How a subject's line looks in every picture of a run."""

    color: str
    dashes: str


def styles(subjects: Sequence[str]) -> dict[str, Style]:
    """Give every subject a colour; where colours are used up they come again, dashed."""
    dashes = [pattern for pattern in ("-", "--", ":", "-.") for _ in COLORS]
    return {name: Style(color, dash) for name, color, dash in zip(subjects, cycle(COLORS), cycle(dashes), strict=False)}


def new_figure(width: Inch, height: Inch) -> "Figure":
    """Return an empty picture that lays itself out; drawn without pyplot and its global state.

    Raises:
        BackendError: matplotlib is not installed.
    """
    refuse_missing_matplotlib()
    figure: Figure = import_module("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")
    return figure


def png_from_figure(figure: "Figure") -> bytes:
    """Return a picture as a PNG file; the same picture gives the same bytes."""
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=DPI, metadata={"Software": None})
    return memory.getvalue()


def tidy(axes: "Axes") -> None:
    """Give axes a light grid, and no frame above and on the right."""
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def refuse_missing_matplotlib(way_out: str = "") -> None:
    """Check that pictures can be drawn.

    Args:
        way_out: the option that does without them, where there is one.

    Raises:
        BackendError: matplotlib is not installed.
    """
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise BackendError(
            f"matplotlib is not installed, so nothing can be plotted.\nInstall it:  {INSTALL}"
            + (f"     or:  {way_out}" if way_out else "")
        ) from error
