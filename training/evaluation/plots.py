"""All pictures of an evaluation, as PNG files in a folder.

    psnr_{configuration}_qp{qp}.png                 PSNR frame by frame, every clip
    gain_by_qp_{configuration}.png                  mean gain and worst clip, where there are several QPs
    crops_{configuration}_qp{qp}_{subject}.png      the blocks that gain most, at QP 37 or the one nearest to it

Those of first frames only end in `_first8`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cvqe.whole_file import write_whole
from training.evaluation.crop_plot import crop_figure
from training.evaluation.gain_plot import gain_figure
from training.evaluation.markdown_tables import by, by_coding, subjects_of
from training.evaluation.plot_style import Style, png_from_figure, styles
from training.evaluation.psnr_plot import psnr_figure
from training.evaluation.results import Result
from training.evaluation.store import file_stem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Named = Iterator[tuple[str, "Figure"]]
MAIN_QP = 37  # of the papers' pictures


def write_plots(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draw everything anew; return the paths.

    Raises:
        BackendError: matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(figure, folder / f"{stem}.png") for stem, figure in _figures(results)]


def _write(figure: "Figure", path: Path) -> Path:
    write_whole(path, png_from_figure(figure))
    return path


def _figures(results: Sequence[Result]) -> Named:
    looks = styles(subjects_of(results))
    for (configuration, first), own in by(results, lambda each: (each.case.configuration, each.case.first_frames or 0)):
        ending, note = (f"_first{first}", f" (first {first} frames)") if first else ("", "")
        for stem, figure in _of_configuration(configuration, own, looks, note):
            yield stem + ending, figure


def _of_configuration(configuration: str, results: Sequence[Result], looks: Mapping[str, Style], note: str) -> Named:
    qps = {result.case.qp for result in results if result.case.qp is not None}
    if len(qps) > 1:
        yield f"gain_by_qp_{configuration}", gain_figure(results, looks, configuration + note)
    for title, own in by_coding(results):
        yield f"psnr_{_stem(title)}", psnr_figure(own, looks, title + note)
    main = min(qps, key=lambda qp: abs(qp - MAIN_QP), default=None)
    for title, own in by_coding([each for each in results if each.case.qp == main and each.after.block is not None]):
        for subject, of_subject in by(own, lambda result: result.subject):
            stem = f"crops_{_stem(title)}_{file_stem(subject)}"
            yield stem, crop_figure(of_subject, f"{subject}, {title}{note}")


def _stem(title: str) -> str:
    """Return "ldp, QP 37" as ldp_qp37."""
    return file_stem(title.replace(", QP ", "_qp"))
