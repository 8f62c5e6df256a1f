"""Results as rows of CSV files: one a clip and subject, one a frame, one a BD-rate."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from cvqe.whole_file import write_whole
from training.evaluation.bd_results import BdResult
from training.evaluation.results import Result
from training.evaluation.stability import pvd_db, sd_db


def result_row(result: Result) -> dict[str, Any]:
    """Return one line of results.csv; empty where something is not defined or was not measured."""
    before, after, case = result.before, result.after, result.case
    return {
        "clip": case.clip,
        "gt_class": case.gt_class,
        "size_class": result.size_class,
        "width": case.width,
        "height": case.height,
        "configuration": case.configuration,
        "qp": "" if case.qp is None else case.qp,
        "subject": result.subject,
        "frames": after.n_frames,
        "first_frames": "" if case.first_frames is None else case.first_frames,
        "bitrate_kbps": _text(case.bitrate_kbps, 2),
        "psnr_db_decoded": _text(result.psnr_db, 4),
        "psnr_db": _text(fmean(after.psnr_db), 4),
        "delta_psnr_db": _text(result.delta_psnr_db, 4),
        "ssim_decoded": _text(fmean(before.ssim), 6),
        "ssim": _text(fmean(after.ssim), 6),
        "delta_ssim": _text(result.delta_ssim, 6),
        "pvd_db_decoded": _text(pvd_db(before.psnr_db), 4),
        "pvd_db": _text(pvd_db(after.psnr_db), 4),
        "sd_db_decoded": _text(sd_db(before.psnr_db), 4),
        "sd_db": _text(sd_db(after.psnr_db), 4),
        "vmaf_decoded": _text(_mean(before.vmaf), 3),
        "vmaf": _text(_mean(after.vmaf), 3),
        "vmaf_neg_decoded": _text(_mean(before.vmaf_neg), 3),
        "vmaf_neg": _text(_mean(after.vmaf_neg), 3),
        "ms_per_frame": _text(after.ms_per_frame, 3),
        "backend": after.subject.backend,
        "precision": after.subject.precision,
        "settings": after.subject.settings,
        "sha256": after.subject.sha256,
        "machine": after.provenance.machine,
        "git_sha": after.provenance.git_sha,
        "command": after.provenance.command,
        "date": after.provenance.date,
    }


def frame_rows(result: Result) -> list[dict[str, Any]]:
    """Return the lines of frames.csv: one a frame."""
    before, after, case = result.before, result.after, result.case
    columns = {
        "psnr_db_decoded": (before.psnr_db, 4),
        "psnr_db": (after.psnr_db, 4),
        "ssim_decoded": (before.ssim, 6),
        "ssim": (after.ssim, 6),
        "vmaf_decoded": (before.vmaf, 3),
        "vmaf": (after.vmaf, 3),
        "vmaf_neg_decoded": (before.vmaf_neg, 3),
        "vmaf_neg": (after.vmaf_neg, 3),
        "ms": (after.ms, 3),
    }
    place = {
        "clip": case.clip,
        "configuration": case.configuration,
        "qp": "" if case.qp is None else case.qp,
        "subject": result.subject,
        "first_frames": "" if case.first_frames is None else case.first_frames,
    }
    return [
        {
            **place,
            "frame": number,
            **{name: _text(values[number], digits) if values else "" for name, (values, digits) in columns.items()},
        }
        for number in range(after.n_frames)
    ]


def bd_row(result: BdResult) -> dict[str, Any]:
    """Return one line of bd_rate.csv; empty where the BD-rate is not defined."""
    return {
        "clip": result.clip,
        "configuration": result.configuration,
        "subject": result.subject,
        "first_frames": "" if result.first_frames is None else result.first_frames,
        "qps": " ".join(map(str, result.qps)),
        "bd_rate_cubic_pct": _text(result.cubic_pct, 3),
        "bd_rate_pchip_pct": _text(result.pchip_pct, 3),
    }


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, which share their columns, whole or not at all; without a row nothing is written."""
    if not rows:
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
