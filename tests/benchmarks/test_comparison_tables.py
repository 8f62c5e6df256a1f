"""Tables from rows that a study leaves: what they say of a budget, of networks that are missing, of a weak result."""

import csv

import pytest

from benchmarks import comparison_tables, mganet_tables, table1
from cvqe.errors import InputError
from training.study.study_file import load_study

SHARED = {
    "steps": "500",
    "batch": "16",
    "patch_px": "64",
    "n_clips": "2",
    "first_frames": "20",
    "machine": "a machine",
    "computed_by": "torch-cpu bf16",
    "git_sha": "abc",
    "guide": "",
    "qp": "37",
    "parameters": "1000",
    "gmacs_416x240": "1.5",
    "psnr_db_decoded": "30.0",
    "worst_gain_db": "0.01",
}
QUALITY = {"delta_ssim": "0.0012", "pvd_db_decoded": "1.4", "pvd_db": "", "sd_db_decoded": "0.8", "sd_db": "0.7"}


def write(folder, gains, **changes):
    """Write the rows of networks with these gains, dB, in low delay."""
    means = [
        {"variant": name, "coding": "ldp-hm", "gain_db": str(gain), **SHARED, **QUALITY, **changes.get(name, {})}
        for name, gain in gains.items()
    ]
    clips = [{**row, "clip": clip} for row in means for clip in ("a", "b")]
    for name, rows in (("comparison", means), ("comparison_clips", clips)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(mganet_tables, "RESULTS", tmp_path)
    return tmp_path


def test_without_results_nothing_is_claimed(results):
    assert {table() for table in comparison_tables.TABLES.values()} == {mganet_tables.NOT_MEASURED}


def test_networks_stand_in_the_papers_order_with_its_means(results):
    write(results, {"tgafnet": 0.2, "stdf_r3l": 0.15, "dcad": 0.1})
    lines = comparison_tables.low_delay_table().splitlines()
    assert lines[0] == "| clip | decoded, dB | DCAD | STDF-R3L | TGAFNet |"
    assert lines[2] == "| a | 30.00 | +0.100 / +12 | +0.150 / +12 | +0.200 / +12 |"
    assert "| paper's mean |  | +0.32 / +67 | +0.83 / +153 | +0.96 / +177 |" in lines
    assert "500 steps of 16 patches of 64x64" in lines[-3]
    assert "Not trained yet: MFQE, MFQE 2.0, STDF-R1, STDF-R3, RFDA, CF-STIF." in lines[-3]


@pytest.mark.parametrize(
    "gain, expected", [(0.099, "**This table ranks nothing**"), (0.101, "STDF-R3L gains +0.101 dB")]
)
def test_below_a_tenth_of_a_decibel_nothing_is_ranked(results, gain, expected):
    write(results, {"stdf_r3l": gain})
    assert comparison_tables.low_delay_table().splitlines()[-1].startswith(expected)


def test_networks_of_different_budgets_are_not_compared(results):
    write(results, {"dcad": 0.1, "tgafnet": 0.2}, tgafnet={"steps": "600"})
    with pytest.raises(InputError, match=r"dcad \(500 steps\), tgafnet \(600 steps\) were not given the same"):
        comparison_tables.low_delay_table()


def test_a_curve_without_peaks_has_no_pvd(results):
    write(results, {"dcad": 0.1})
    table = comparison_tables.stability_table()
    assert "| a | 1.40 / 0.80 | n/a / 0.70 |" in table
    assert "| **mean** | n/a / 0.80 | n/a / 0.70 |" in table
    assert "over the 0 clips" in table


def test_two_rows_of_one_network_are_refused(results):
    write(results, {"dcad": 0.1})
    path = results / "comparison.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(InputError, match="2 rows of ldp-hm/dcad"):
        comparison_tables.low_delay_table()


def test_an_ablation_names_what_is_not_there(results):
    write(results, {"tgafnet": 0.2, "tgafnet_0": 0.1})
    assert "| 1 |  | not trained yet | +0.92 / +169 |" in comparison_tables.blocks_table()
    assert "| 3 | 1,000 | +0.200 / +12 | +0.96 / +177 |" in comparison_tables.blocks_table()


def test_every_network_of_the_tables_is_in_the_study():
    study = load_study(table1.DEFAULTS["--config"])
    titles = {variant.title for variant in study.variants}
    named = {f"ldp-hm/{name}" for name in comparison_tables.MULTI_FRAME}
    named |= {f"ai-tu3/{name}" for name in comparison_tables.INTRA}
    named |= {
        f"ldp-hm/{name}" for name, *_ in (*comparison_tables.MODULES.values(), *comparison_tables.BLOCKS.values())
    }
    named |= {f"ldp-hm/tgafnet_qp{qp}" for qp in comparison_tables.PUBLISHED_QPS if qp != 37}
    assert named == titles
