"""Short titles of networks for charts and figures: those of the table of networks."""

import re

from benchmarks.networks_table import ROWS

# ours, and what training/study/comparison.toml makes of TGAFNet and STDF
OTHERS = {"live": "live", "stdf_fusion": "STDF fusion"} | {f"tgafnet_{n}": f"TGAFNet, L = {n}" for n in range(3)}
# several rows may share a name: its first one is the network without options
TITLES = {row.name: re.split("[:,]", row.paper)[0] for row in reversed(ROWS)} | OTHERS


def title_of(variant: str) -> str:
    """Return the title of a network's name; of any other name, itself."""
    return TITLES.get(variant, variant)
