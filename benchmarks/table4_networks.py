"""The networks of table4.py by label: the file each runs from, exported where it has to be, and its counts."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.network_speed import BEST, WAYS
from benchmarks.networks_table import HEIGHT, ROWS, WIDTH
from cvqe.errors import UsageError
from cvqe.macs import count_macs
from cvqe.models import create
from cvqe.thop_macs import thop_macs
from runtime.model_file import WEIGHTS, ModelFile, load_model_file
from tests.networks import export_network

log = logging.getLogger(__name__)
SHIPPED = {
    "live": WEIGHTS / "live.onnx",
    "live_int8": WEIGHTS / "live_int8.onnx",
    "mganet_slim_ai": WEIGHTS / "mganet_slim_ai_qp37.onnx",
    "mganet_slim_ai_int8": WEIGHTS / "mganet_slim_ai_qp37_int8.onnx",
}
F1, F5 = {"radius": 0}, {"radius": 2}  # of MGANet; F3 is its default
SOURCES = ("cvqe/**/*.py", "export/**/*.py", "plugins/**/*.py", "tests/networks.py")  # what an export depends on


def label_of(name: str, options: Mapping[str, Any]) -> str:
    """Return how a network of these options is called on the command line and in results: `mfqe2:dense=False`."""
    return ":".join([name, *(f"{option}={value}" for option, value in options.items())])


# those of the registry that no weights are shipped for, at their published widths
PUBLISHED = {
    label_of(name, options): (name, options)
    for name, options in [*((row.name, row.options) for row in ROWS), ("mganet", F1), ("mganet", F5)]
    if name not in SHIPPED
}
LABELS = (*PUBLISHED, *SHIPPED)
# MGANet's other radii take minutes each, and stand in none of the tables that are made anew
DEFAULT_LABELS = tuple(label for label in LABELS if not label.startswith("mganet:"))


@dataclass(frozen=True)
class Counts:
    """What a network is, whatever runs it; multiply-accumulates are of one frame of 416x240."""

    parameters: int
    macs: int
    thop_macs: int


@dataclass(frozen=True)
class Subject:
    """A network to be measured: its label, and the file it runs from."""

    label: str
    file: ModelFile

    @property
    def ways(self) -> tuple[str, ...]:
        """Ways it can be computed in: torch can't compute what is quantised."""
        return (BEST,) if self.file.manifest.is_quantised else WAYS

    @cached_property
    def counts(self) -> Counts:
        """Parameters and multiply-accumulates of the network, before any rounding."""
        manifest = self.file.manifest
        network = create(manifest.network, **manifest.options).eval()
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        return Counts(n_parameters, count_macs(network, HEIGHT, WIDTH), thop_macs(network, HEIGHT, WIDTH))


def subjects_of(labels: Iterable[str], files: Iterable[str], folder: Path) -> list[Subject]:
    """Return the networks asked for, in order; those without weights are given made-up ones and exported.

    Args:
        labels: of LABELS.
        files: LABEL=FILE.onnx each.
        folder: where exported files are kept, and found again while no code that makes them has changed.

    Raises:
        UsageError: an unknown label, one that is there twice, or no LABEL=FILE.
        CvqeError: a file is none of ours.
    """
    paths = {label: _path_of(label, folder) for label in labels}
    for each in files:
        label, mark, path = each.partition("=")
        if not (label and mark and path):
            raise UsageError(f"--onnx {each}: LABEL=FILE was expected, as in  --onnx stdf_r3_quarter=out/stdf_r3.onnx")
        if label in paths:
            raise UsageError(f"--onnx {each}: there is another network {label!r} in this run; give it another label.")
        paths[label] = Path(path)
    return [Subject(label, load_model_file(path)) for label, path in paths.items()]


def _path_of(label: str, folder: Path) -> Path:
    if label in SHIPPED:
        return SHIPPED[label]
    if label not in PUBLISHED:
        raise UsageError(f"there is no network {label!r}.\nChoose of:  {' '.join(LABELS)}")
    name, options = PUBLISHED[label]
    path = folder / f"{label.replace(':', '_').replace('=', '_')}.onnx"
    if not _is_fresh(path):
        log.info("exporting %s", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        export_network(name, path, **options)
    return path


def _is_fresh(path: Path) -> bool:
    """Tell whether a file is younger than the code that makes it."""
    sources = (source for pattern in SOURCES for source in report.ROOT.glob(pattern))
    return path.exists() and path.stat().st_mtime > max(source.stat().st_mtime for source in sources)
