"""Where a measurement comes from: machine, commit, command, day."""

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runtime.machine import this_machine

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Provenance:
    """What a row of results says of its making."""

    machine: str
    git_sha: str
    command: str
    date: str


def provenance(command: str) -> Provenance:
    """Describe this machine and commit, today."""
    machine = this_machine()
    parts = [machine.processor, f"{machine.n_cores} cores", *machine.gpus]
    return Provenance(", ".join(parts), git_sha(), command, datetime.now(UTC).date().isoformat())


def command_line(script: str, words: Sequence[str]) -> str:
    """Return a command as it is recorded: of a path that only this machine has, its name."""
    return shlex.join([script, *map(_word_of, words)])


def git_sha() -> str:
    """Return the short commit, with a plus where the tree differs from it; "unknown" outside a repository."""
    try:
        return _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _word_of(word: str) -> str:
    option, sign, path = word.partition("=") if word.startswith("--") else ("", "", word)
    return f"{option}{sign}{Path(path).name if Path(path).is_absolute() else path}"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
