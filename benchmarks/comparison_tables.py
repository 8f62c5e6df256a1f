"""The tables of docs/comparison.md: the papers' networks on one equal budget, beside the papers' own figures.

Each returns NOT_MEASURED while the results it is made from are not there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from benchmarks.mganet_tables import MAIN_QP, Row, markdown, once_measured, rows_of
from benchmarks.network_titles import TITLES
from cvqe.errors import InputError

STUDY = "comparison"
LOW_DELAY, ALL_INTRA = "ldp-hm", "ai-tu3"
LEAST_GAIN_DB = 0.1  # of STDF-R3L: below it too little was learned to say which network is better
MULTI_FRAME = ("dcad", "mfqe", "mfqe2", "stdf_r1", "stdf_r3", "stdf_r3l", "rfda", "cf_stif", "tgafnet")
INTRA = ("arcnn", "dcad", "dncnn", "vrcnn", "memnet", "mganet")
# TGAFNet's Table I, means over the MFQE 2.0 test set at QP 37: delta PSNR in dB, delta SSIM in 1e-4
PUBLISHED = {
    "dcad": (0.32, 67),
    "mfqe": (0.46, 88),
    "mfqe2": (0.56, 109),
    "stdf_r3l": (0.83, 153),
    "rfda": (0.91, 162),
    "cf_stif": (0.92, 167),
    "tgafnet": (0.96, 177),
}
PUBLISHED_QPS = {22: (0.90, 50), 27: (0.99, 83), 32: (1.00, 126), 37: (0.96, 177), 42: (0.92, 236)}  # TGAFNet's
# MGANet's Table 4, means over its test set at QP 37: delta PSNR in dB
PUBLISHED_INTRA = {
    "arcnn": 0.2237,
    "dcad": 0.1203,
    "dncnn": 0.1404,
    "vrcnn": 0.2339,
    "memnet": 0.2757,
    "mganet": 1.0049,
}
# TGAFNet's Tables II and III: delta PSNR in dB, delta SSIM in 1e-4
MODULES = {
    "STDF's fusion, three convolutions": ("stdf_fusion", 0.77, 139),
    "TGAFNet's groups and their fusion, three convolutions": ("tgafnet_0", 0.88, 160),
    "the same with three context blocks: TGAFNet": ("tgafnet", 0.96, 177),
}
BLOCKS = {
    "0": ("tgafnet_0", None, None),
    "1": ("tgafnet_1", 0.92, 169),
    "2": ("tgafnet_2", 0.94, 173),
    "3": ("tgafnet", 0.96, 177),
}
Cell = Callable[[Row], str]


def quality(row: Mapping[str, str]) -> str:
    """Return gains in PSNR and SSIM as a cell."""
    return f"{float(row['gain_db']):+.3f} / {1e4 * float(row['delta_ssim']):+.0f}"


def stability(row: Mapping[str, str], before: str = "") -> str:
    """Return PVD and SD as a cell; PVD is not defined for a curve with fewer than two peaks."""
    pvd = row[f"pvd_db{before}"]
    return f"{f'{float(pvd):.2f}' if pvd else 'n/a'} / {float(row[f'sd_db{before}']):.2f}"


@once_measured
def low_delay_table() -> str:
    """Return Table I: gains on every clip, their means, and the paper's."""
    published = {name: f"{psnr:+.2f} / {ssim:+d}" for name, (psnr, ssim) in PUBLISHED.items()}
    return _by_clip(LOW_DELAY, MULTI_FRAME, quality, published) + _verdict()


@once_measured
def intra_table() -> str:
    """Return MGANet's Table 4: gains on every clip, their means, and the paper's."""
    return _by_clip(ALL_INTRA, INTRA, quality, {name: f"{psnr:+.2f}" for name, psnr in PUBLISHED_INTRA.items()})


@once_measured
def stability_table() -> str:
    """Return PVD and SD of every clip, before and after."""
    names = _present(LOW_DELAY, MULTI_FRAME)
    own = _clips(LOW_DELAY)
    by_clip = [[own[name, clip] for name in names] for clip in _clip_names(own)]
    lines = [[rows[0]["clip"], stability(rows[0], "_decoded"), *map(stability, rows)] for rows in by_clip]
    with_peaks = [rows for rows in by_clip if all(row["pvd_db"] and row["pvd_db_decoded"] for row in rows)]
    means = [_mean_stability(by_clip, with_peaks, number) for number in range(len(names))]
    lines.append(["**mean**", _mean_stability(by_clip, with_peaks, 0, "_decoded"), *means])
    note = f"Means of PVD are over the {len(with_peaks)} clips where every curve has peaks."
    return f"{markdown(['clip', 'decoded', *(TITLES[name] for name in names)], lines)}\n\n{note}"


@once_measured
def qps_table() -> str:
    """Return TGAFNet's gains at five QPs, a network for each."""
    lines, found = [], list[Row]()
    for qp, (psnr, ssim) in PUBLISHED_QPS.items():
        name = "tgafnet" if str(qp) == MAIN_QP else f"tgafnet_qp{qp}"
        row, paper = _find(LOW_DELAY, name), f"{psnr:+.2f} / {ssim:+d}"
        if row:
            found.append(row)
            facts = [f"{float(row['psnr_db_decoded']):.2f}", quality(row), f"{float(row['worst_gain_db']):+.3f}"]
        else:
            facts = ["", "not trained yet", ""]
        lines.append([str(qp), *facts, paper])
    budget(found)
    return markdown(["QP", "decoded, dB", "gain, dB / SSIM, e-4", "worst clip, dB", "paper"], lines)


@once_measured
def modules_table() -> str:
    """Return Table II: what aligns, and what enhances."""
    return _ablation("", MODULES)


@once_measured
def blocks_table() -> str:
    """Return Table III: the number of context blocks."""
    return _ablation("context blocks", BLOCKS)


def _mean_stability(
    by_clip: Sequence[Sequence[Row]], with_peaks: Sequence[Sequence[Row]], number: int, before: str = ""
) -> str:
    """Return the mean of one network's PVD, over clips where all have one, and SD, over all clips."""
    pvds = [float(rows[number][f"pvd_db{before}"]) for rows in with_peaks]
    sd = fmean(float(rows[number][f"sd_db{before}"]) for rows in by_clip)
    return f"{f'{fmean(pvds):.2f}' if pvds else 'n/a'} / {sd:.2f}"


def _by_clip(coding: str, wanted: Sequence[str], cell: Cell, published: Mapping[str, str]) -> str:
    names, own = _present(coding, wanted), _clips(coding)
    means = [_mean_row(coding, name) for name in names]
    lines = []
    for clip in _clip_names(own):
        rows = [own[name, clip] for name in names]
        lines.append([clip, f"{float(rows[0]['psnr_db_decoded']):.2f}", *map(cell, rows)])
    lines.append(["**mean**", f"{float(means[0]['psnr_db_decoded']):.2f}", *map(cell, means)])
    lines.append(["paper's mean", "", *(published.get(name, "") for name in names)])
    lines.append(["parameters", "", *(f"{int(row['parameters']):,}" for row in means)])
    lines.append(["GMAC at 416x240", "", *(f"{float(row['gmacs_416x240']):.2f}" for row in means)])
    heads = ["clip", "decoded, dB", *(TITLES[name] for name in names)]
    return f"{markdown(heads, lines)}\n\n{budget(means)}{_missing(names, wanted)}"


def _ablation(head: str, variants: Mapping[str, tuple[str, float | None, int | None]]) -> str:
    lines, found = [], list(filter(None, (_find(LOW_DELAY, name) for name, *_ in variants.values())))
    budget(found)
    for title, (name, psnr, ssim) in variants.items():
        row = _find(LOW_DELAY, name)
        paper = "" if psnr is None else f"{psnr:+.2f} / {ssim:+d}"
        facts = [f"{int(row['parameters']):,}", quality(row)] if row else ["", "not trained yet"]
        lines.append([title, *facts, paper])
    return markdown([head, "parameters", "gain, dB / SSIM, e-4", "paper"], lines)


def budget(rows: Sequence[Row]) -> str:
    """Return in words what the networks were given, the same for all."""
    if not rows:
        raise FileNotFoundError("nothing of it was measured")
    facts = {(row["steps"], row["batch"], row["patch_px"], row["n_clips"], row["first_frames"]) for row in rows}
    if len(facts) != 1:
        names = ", ".join(f"{row['variant']} ({row['steps']} steps)" for row in rows)
        raise InputError(f"{names} were not given the same steps, batches, patches or clips; nothing compares them.")
    steps, batch, patch_px, n_clips, frames = facts.pop()
    where = "; ".join(sorted({f"{row['machine']}; {row['computed_by']}, commit {row['git_sha']}" for row in rows}))
    return (
        f"A quarter of each published width; {steps} steps of {batch} patches of {patch_px}x{patch_px}; up to the "
        f"first {frames} frames of {n_clips} clips. {where}."
    )


def _verdict() -> str:
    """Return what STDF-R3L says of the whole table."""
    row = _find(LOW_DELAY, "stdf_r3l")
    if row is None:
        return ""
    gain_db = float(row["gain_db"])
    if gain_db < LEAST_GAIN_DB:
        return (
            f"\n\n**This table ranks nothing**: STDF-R3L gains {gain_db:+.3f} dB, less than the {LEAST_GAIN_DB} dB "
            "that a network must have learned before its place says something."
        )
    return f"\n\nSTDF-R3L gains {gain_db:+.3f} dB; below {LEAST_GAIN_DB} dB this table would rank nothing."


def _missing(names: Sequence[str], wanted: Sequence[str]) -> str:
    missing = [TITLES[name] for name in wanted if name not in names]
    return f" Not trained yet: {', '.join(missing)}." if missing else ""


def _present(coding: str, names: Iterable[str]) -> list[str]:
    """Return the networks that were measured, in the table's order."""
    present = [name for name in names if _find(coding, name)]
    if not present:
        raise FileNotFoundError(f"no row of {coding}")
    return present


def _find(coding: str, name: str) -> Row | None:
    own = [row for row in rows_of(STUDY) if (row["coding"], row["variant"]) == (coding, name)]
    units = [row for row in own if row["guide"] != "grid"]
    if len(units) > 1:
        raise InputError(f"{STUDY}.csv holds {len(units)} rows of {coding}/{name}; one was expected.")
    return units[0] if units else None


def _mean_row(coding: str, name: str) -> Row:
    row = _find(coding, name)
    assert row is not None, f"{name} was measured on clips and has no mean"
    return row


def _clips(coding: str) -> dict[tuple[str, str], Row]:
    """Return the clips' rows of a coding, by network and clip."""
    rows = (row for row in rows_of(f"{STUDY}_clips") if row["coding"] == coding and row["guide"] != "grid")
    return {(row["variant"], row["clip"]): row for row in rows}


def _clip_names(own: Mapping[tuple[str, str], Row]) -> list[str]:
    return sorted({clip for _, clip in own})


TABLES = {
    "comparison_low_delay": low_delay_table,
    "comparison_intra": intra_table,
    "comparison_stability": stability_table,
    "comparison_qps": qps_table,
    "comparison_modules": modules_table,
    "comparison_blocks": blocks_table,
}
