"""The index of coded clips: one row of index.csv per clip, configuration and QP, merged on every run."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cvqe.errors import CvqeError
from cvqe.whole_file import write_whole

INDEX = "index.csv"
Key = tuple[str, int, str]


@dataclass(frozen=True)
class IndexRow:
    """One coded clip.

    Attributes:
        clip: name of the pristine clip, without ending.
        configuration: Coding.name, as `ldp` or `avc-ldp`; with qp it names the folder.
        qp: quantiser.
        frames: in the clip.
        psnr_db: of luma, mean over frames of dB, an equal frame counted as 100.
        bitrate_kbps: of `bytes`, at the clip's nominal frame rate.
        ssim: of luma, mean over frames; None when it was not asked for.
        bytes: of the coded pictures, without container and headers; None in rows of earlier versions.
        settings: digest of encoder settings and pristine clip; empty in rows of earlier versions.
    """

    clip: str
    configuration: str
    qp: int
    frames: int
    psnr_db: float
    bitrate_kbps: float
    ssim: float | None = None
    bytes: int | None = None
    settings: str = ""

    @property
    def key(self) -> Key:
        """Give what a row is found and sorted by."""
        return self.configuration, self.qp, self.clip

    @property
    def path(self) -> Path:
        """Give the coded clip's path from the index."""
        return Path(f"{self.configuration}_qp{self.qp}") / f"{self.clip}.mkv"

    @property
    def cells(self) -> dict[str, str]:
        """Give the row as text, by column."""
        texts = {name: "" if value is None else str(value) for name, value in asdict(self).items()}
        ssim = "" if self.ssim is None else f"{self.ssim:.5f}"
        return {**texts, "psnr_db": f"{self.psnr_db:.3f}", "bitrate_kbps": f"{self.bitrate_kbps:.1f}", "ssim": ssim}


def load_index(folder: Path) -> dict[Key, IndexRow]:
    """Read a folder's index; empty where there is none. Rows whose clip is gone are left out.

    Raises:
        CvqeError: index.csv is there and holds something else.
    """
    path = folder / INDEX
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [_row(cells) for cells in csv.DictReader(file)]
    except (KeyError, ValueError, TypeError) as error:
        raise CvqeError(
            f"{path} is no index of coded clips ({type(error).__name__}: {error}); move it away, it is made again."
        ) from error
    return {row.key: row for row in rows if (folder / row.path).is_file()}


def save_index(folder: Path, rows: Iterable[IndexRow]) -> Path:
    """Write a folder's index in whole, sorted by configuration, QP and clip, and return its path."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(IndexRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.cells for row in sorted(rows, key=lambda row: row.key))
    write_whole(folder / INDEX, text.getvalue().encode())
    return folder / INDEX


def _row(cells: dict[str, str]) -> IndexRow:
    """Read one row; the last three columns are missing in files of earlier versions."""
    return IndexRow(
        clip=cells["clip"],
        configuration=cells["configuration"],
        qp=int(cells["qp"]),
        frames=int(cells["frames"]),
        psnr_db=float(cells["psnr_db"]),
        bitrate_kbps=float(cells["bitrate_kbps"]),
        ssim=float(cells["ssim"]) if cells.get("ssim") else None,
        bytes=int(cells["bytes"]) if cells.get("bytes") else None,
        settings=cells.get("settings") or "",
    )
