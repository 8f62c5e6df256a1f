"""Every network that a study compares has a title of its own."""

import pytest

from benchmarks.network_titles import title_of
from cvqe.models import names


@pytest.mark.parametrize(
    "name, title",
    [("arcnn", "AR-CNN"), ("mfqe2", "MFQE 2.0"), ("stdf_r3l", "STDF-R3L"), ("live", "live"), ("no such", "no such")],
)
def test_titles_are_those_of_the_papers(name, title):
    assert title_of(name) == title


def test_no_two_networks_share_a_title():
    titles = [title_of(name) for name in (*names(), "stdf_fusion", "tgafnet_0", "tgafnet_1", "tgafnet_2")]
    assert len(set(titles)) == len(titles)
