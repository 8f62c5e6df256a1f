"""Train a network on coded clips.

$ python training/train.py ../shared/clips/train --coded data/train --network live --output out/live.pt
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import torch

from cvqe.errors import CvqeError
from cvqe.models import create
from training.loop import LOSSES, Schedule, Trainer
from training.patches import PatchSampler, load_pairs


@dataclass(frozen=True)
class Training:
    """What to train, on what, and where to keep it."""

    clips: Path
    coded: Path
    output: Path
    network: str = "live"
    configuration: str = "ldp"
    qp: tuple[int, ...] = (22, 27, 32, 37, 42)
    main_qp: int = 37
    main_qp_weight: float = 3.0
    patch: int = 96
    batch: int = Schedule.batch
    steps: int = Schedule.steps
    rate: float = Schedule.rate
    loss: str = Schedule.loss
    init: Path | None = None
    seed: int = 0
    threads: int = 0


def train(options: Training) -> Path:
    """Run the whole schedule and return the checkpoint's path."""
    torch.manual_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    network = create(options.network)
    if options.init is not None:
        network.load_state_dict(torch.load(options.init, weights_only=True)["state_dict"])
    pairs = load_pairs(options.clips, options.coded, options.configuration, options.qp)
    weights = {options.main_qp: options.main_qp_weight}
    sampler = PatchSampler(pairs, int(network.radius), options.patch, weights, options.seed)
    schedule = Schedule(steps=options.steps, batch=options.batch, rate=options.rate, loss=options.loss)
    card = {"network": options.network, "options": {}, "qp": list(options.qp)}
    Trainer(network, sampler, schedule, card).run(options.output)
    return options.output


def parse_args(argv: list[str] | None = None) -> Training:
    """Read the command line; unset options keep Training's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of pristine .mkv clips")
    parser.add_argument("--coded", type=Path, required=True, help="folder that training/compress.py wrote")
    parser.add_argument(
        "--output", type=Path, required=True, help="checkpoint to write, .pt; its log is the .csv beside it"
    )
    parser.add_argument("--network", default=Training.network, help="a name of the registry [%(default)s]")
    parser.add_argument("--configuration", default=Training.configuration, help="coding configuration [%(default)s]")
    parser.add_argument("--qp", type=int, nargs="+", default=Training.qp, help="QPs to learn from [22 27 32 37 42]")
    parser.add_argument("--main-qp", type=int, default=Training.main_qp, help="QP drawn more often [%(default)s]")
    parser.add_argument(
        "--main-qp-weight", type=float, default=Training.main_qp_weight, help="how much more [%(default)s]"
    )
    parser.add_argument("--patch", type=int, default=Training.patch, help="patch side in px [%(default)s]")
    parser.add_argument("--batch", type=int, default=Training.batch, help="windows a step [%(default)s]")
    parser.add_argument("--steps", type=int, default=Training.steps, help="steps in all [%(default)s]")
    parser.add_argument("--rate", type=float, default=Training.rate, help="highest learning rate [%(default)s]")
    parser.add_argument("--loss", choices=LOSSES, default=Training.loss, help="[%(default)s]")
    parser.add_argument(
        "--init", type=Path, default=Training.init, help="checkpoint to go on from, with a new schedule"
    )
    parser.add_argument("--seed", type=int, default=Training.seed, help="of weights and batches [%(default)s]")
    parser.add_argument("--threads", type=int, default=Training.threads, help="CPU threads, 0 for all [%(default)s]")
    return Training(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Train; our own errors become one message."""
    try:
        print(train(parse_args(argv)))
    except CvqeError as error:
        print(f"train: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
