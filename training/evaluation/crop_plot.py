"""The blocks that gain most: decoded, enhanced and original side by side, enlarged pixel by pixel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from cvqe.metrics import psnr_db
from training.evaluation.best_block import Block
from training.evaluation.plot_style import new_figure
from training.evaluation.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ROWS = 4
SIDE_IN = 2.9


def crop_figure(results: Sequence[Result], title: str) -> "Figure":
    """Draw the best block of the clips that gain most, one subject's; every result must have a block."""
    best = sorted(results, key=lambda result: -result.delta_psnr_db)[:MAX_ROWS]
    figure = new_figure(3 * SIDE_IN + 0.4, (SIDE_IN + 0.25) * len(best) + 0.4)
    rows = figure.subplots(len(best), 3, squeeze=False)
    for row, result in zip(rows, best, strict=True):
        assert result.after.block is not None
        _draw_row(row, result, result.after.block)
    figure.suptitle(f"Where most is gained: {title}", fontsize=12)
    return figure


def _draw_row(row: "Sequence[Axes]", result: Result, block: Block) -> None:
    peak = float(2**result.case.bit_depth - 1)
    before, after = (psnr_db(block.pristine, plane, peak) for plane in (block.decoded, block.enhanced))
    _draw(row[0], block.decoded, peak, f"decoded  {before:.2f} dB")
    _draw(row[1], block.enhanced, peak, f"enhanced  {after:.2f} dB ({after - before:+.2f})")
    _draw(row[2], block.pristine, peak, "original")
    place = f"{result.case.clip}\nframe {block.frame}, x {block.left}, y {block.top}"
    row[0].set_ylabel(place, fontsize=8)


def _draw(axes: "Axes", plane: NDArray[Any], peak: float, title: str) -> None:
    axes.imshow(plane, cmap="gray", vmin=0, vmax=peak, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
