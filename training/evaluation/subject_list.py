"""The subjects a user named: networks, enhanced videos, FFmpeg's filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvqe.errors import UsageError
from training.evaluation.enhanced_video import EnhancedVideo
from training.evaluation.ffmpeg_filter import ffmpeg_filter
from training.evaluation.network_windows import UNITS
from training.evaluation.onnx_network import onnx_network
from training.evaluation.store import file_stem
from training.evaluation.subject import Decoded, Subject
from training.evaluation.torch_network import SUFFIXES, torch_network


@dataclass(frozen=True)
class Running:
    """What computes the networks; `auto` and 0 leave it to the machine."""

    backend: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    threads: int = 0
    guide: str = UNITS


def list_subjects(
    models: Sequence[str], pairs: Sequence[str], peers: Sequence[str], running: Running
) -> tuple[list[Subject], list[str]]:
    """Return the decoded video and all that was named, and a sentence for each backend that was chosen here.

    Args:
        models, pairs: `FILE`, which its name's stem stands for in tables, or `LABEL=FILE`; models also by shipped name.
        peers: `FILTER` or `FILTER=OPTIONS`.

    Raises:
        UsageError: nothing was named, or two subjects of one name.
        CvqeError: one of them can't be run.
    """
    networks = [_network(*_labelled(model), running) for model in models]
    videos = [EnhancedVideo(label, Path(file)) for label, file in map(_labelled, pairs)]
    filters = [ffmpeg_filter(peer, running.threads) for peer in peers]
    subjects: list[Subject] = [Decoded(), *(network for network, _ in networks), *videos, *filters]
    _refuse_unclear(subjects)
    return subjects, [f"{network.name}: {reason}" for network, reason in networks if reason]


def _network(label: str, file: str, running: Running) -> tuple[Subject, str]:
    if Path(file).suffix in SUFFIXES:
        return torch_network(label, Path(file), running.precision, running.device, running.threads, running.guide), ""
    return onnx_network(label, file, running.backend, running.precision, running.threads, running.guide)


def _labelled(text: str) -> tuple[str, str]:
    label, is_labelled, file = text.partition("=")
    if is_labelled and label and not Path(text).exists():
        return label, file
    return Path(text).stem, text


def _refuse_unclear(subjects: Sequence[Subject]) -> None:
    if len(subjects) == 1:
        raise UsageError("nothing to evaluate; name a --model, a --pair or a --peer.")
    names = [file_stem(subject.name) for subject in subjects]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two subjects are called {twice!r}; give one a name of its own:  --model LABEL=FILE")
