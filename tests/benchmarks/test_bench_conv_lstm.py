"""What the ConvLSTM saves is counted as the papers count, and is not reported where the outputs differ."""

import pytest
import torch

from benchmarks.bench_conv_lstm import CASES, OURS, PLAIN, Case, cell_and_features, difference, network_macs, time_rows

SMALL = Case("small", {"radius": 2, "channels": 4, "shrink": 8, "levels": 1})


@pytest.mark.parametrize("case, plain, ours", [(CASES[0], 294.5, 184.1), (CASES[1], 419.8, 250.5)], ids=["F3", "F5"])
def test_the_plain_version_has_the_published_networks_multiplications(case, plain, ours):
    macs = {provider: round(count / 1e9, 1) for provider, count in network_macs(case).items()}
    assert macs == {PLAIN: plain, OURS: ours}


def test_both_are_timed_once_they_are_alike():
    found = {(row.provider, row.metric): row.median for row in time_rows(SMALL, rounds=2)}
    assert found[OURS, "time"] > 0 and found[PLAIN, "time"] > 0
    assert found[OURS, "largest difference"] < 1e-5


def test_nothing_is_reported_where_outputs_differ():
    cell, features = cell_and_features(SMALL)
    with torch.no_grad():
        cell.conv.weight[0] = float("nan")
    with pytest.raises(SystemExit, match="nothing is reported"):
        difference(cell, features)
