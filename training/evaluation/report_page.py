"""The page of all tables, and what must be said beside them."""

from collections.abc import Sequence

from training.evaluation import markdown_tables as tables
from training.evaluation.bd_results import BdResult
from training.evaluation.results import Result

GAINS = "Delta PSNR-Y in dB / delta SSIM in 1e-4 over the decoded video: mean over frames, then over clips."
STABILITY = (
    "PVD / SD of the per-frame PSNR in dB, means over clips; lower is steadier. PVD is over the clips where every "
    "column has two peaks or more, whose number stands in brackets."
)
BD_RATE = "BD-rate over the decoded video in percent, cubic (pchip); lower is better. It takes four QPs at least."
VMAF = "Delta VMAF / delta VMAF-NEG."
TIME = "Milliseconds a frame: the network or filter alone, without decoding and measuring; the median frame."


def report_page(results: Sequence[Result], bd: Sequence[BdResult]) -> str:
    """Return the whole page: whole clips first, then what was measured on the first frames only."""
    parts = ["# Evaluation"]
    lengths = {result.case.first_frames for result in results}
    for first_frames in sorted(lengths, key=lambda length: length or 0):
        own = [result for result in results if result.case.first_frames == first_frames]
        own_bd = [result for result in bd if result.first_frames == first_frames]
        parts += [*_limit_note(first_frames), *_mean_sections(own), *_bd_section(own_bd), *_time_section(own)]
        parts += _clip_sections(own)
    return "\n\n".join([*parts, _origin(results)]) + "\n"


def _limit_note(first_frames: int | None) -> list[str]:
    if first_frames is None:
        return []
    note = (
        f"**Only the first {first_frames} frames of every clip were measured**; windows at the last of them repeat it, "
        "as at the end of a clip. The figures can't be compared with those of whole clips."
    )
    return [f"# First {first_frames} frames", note]


def _mean_sections(results: Sequence[Result]) -> list[str]:
    parts = ["## Gain", GAINS, tables.means_table(results, tables.gain_and_worst_cell)]
    with_vmaf = [result for result in results if result.delta_vmaf is not None]
    if with_vmaf:
        parts += ["## VMAF", VMAF, tables.means_table(with_vmaf, tables.vmaf_cell)]
    return [*parts, "## Stability", STABILITY, tables.stability_table(results)]


def _bd_section(results: Sequence[BdResult]) -> list[str]:
    is_defined = any(result.cubic_pct is not None for result in results)
    return ["## BD-rate", BD_RATE, tables.bd_table(results)] if is_defined else []


def _time_section(results: Sequence[Result]) -> list[str]:
    is_timed = any(result.after.ms_per_frame is not None for result in results)
    return ["## Time", TIME, tables.time_table(results)] if is_timed else []


def _clip_sections(results: Sequence[Result]) -> list[str]:
    parts = []
    for coding, own in tables.by_coding(results):
        parts += [f"## Every clip: {coding}", tables.gains_table(own)]
    return parts


def _origin(results: Sequence[Result]) -> str:
    """Say where the figures were measured: a line for each machine, commit and day."""
    origins = [result.after.provenance for result in results]
    return "\n".join(sorted({f"{each.machine}; commit {each.git_sha}, {each.date}." for each in origins}))
