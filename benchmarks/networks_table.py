"""The table of docs/networks.md: every network of the registry, counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

HEIGHT, WIDTH = 240, 416  # of the papers' counts


@dataclass(frozen=True)
class Row:
    """A network as it was published, and under which title."""

    name: str
    paper: str
    options: Mapping[str, Any] = field(default_factory=dict)


ROWS = (
    Row("arcnn", "AR-CNN: Dong et al., ICCV 2015"),
    Row("vrcnn", "VRCNN: Dai et al., MMM 2017"),
    Row("dncnn", "DnCNN-20: Zhang et al., IEEE TIP 2017"),
    Row("dcad", "DCAD: Wang et al., DCC 2017"),
    Row("memnet", "MemNet M6R6: Tai et al., ICCV 2017"),
    Row("mfqe", "MFQE: Yang et al., CVPR 2018"),
    Row("mganet", "MGANet F3: Meng et al., 2018"),
    Row("stdf_r1", "STDF-R1: Deng et al., AAAI 2020"),
    Row("stdf_r3", "STDF-R3: the same"),
    Row("stdf_r3l", "STDF-R3L: the same"),
    Row("mfqe2", "MFQE 2.0, QP 37 and 42: Guan et al., IEEE TPAMI 2021"),
    Row("mfqe2", "MFQE 2.0, QP 22, 27 and 32: the same", {"dense": False}),
    Row("rfda", "RFDA: Zhao et al., ACM MM 2021"),
    Row("cf_stif", "CF-STIF: Luo et al., IEEE SPL 2022"),
    Row("tgafnet", "TGAFNet, L = 3"),
    Row("live", "ours, the default"),
)


@cache
def networks_table() -> str:
    """Return every network with its paper, its parameters, its work and what it sees."""
    lines = [
        "| `--model` | network | parameters | GMAC at 416x240 | kMAC a pixel | sees |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, ROWS)])


def _line(row: Row) -> str:
    from cvqe.macs import count_macs  # needs torch, as what follows
    from cvqe.models import create

    network = create(row.name, **row.options).eval()
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    macs = count_macs(network, HEIGHT, WIDTH)
    options = "".join(f", `{name}={value}`" for name, value in row.options.items())
    work = f"{macs / 1e9:.2f} | {macs / (HEIGHT * WIDTH) / 1e3:.1f}"
    return f"| `{row.name}`{options} | {row.paper} | {n_parameters:,} | {work} | {_sees(network)} |"


def _sees(network: Any) -> str:
    from cvqe.models import hidden_channels, takes_guide, takes_qp

    n_frames = 2 * int(network.radius) + 1
    others = {
        "the QP": takes_qp(network),
        "a guided map": takes_guide(network),
        "what it left behind": hidden_channels(network) > 0,
    }
    named = [name for name, is_taken in others.items() if is_taken]
    return ", ".join([f"{n_frames} frame{'s' * (n_frames > 1)}", *named])


TABLES = {"networks": networks_table}
