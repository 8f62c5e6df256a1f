"""Feed damaged files to stream.py and look at all that comes of it.

$ python -m tests.runtime.fuzz_stream --runs 100000 --seconds 900 --seed 1 --keep failures
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import av

from cvqe.errors import ExitCode
from runtime.output_path import partial_path
from tests.media import SILENT, Extras, make_video
from tests.networks import export_network
from tests.oracle import times_of
from tests.runtime.file_noise import damaged, without_packets
from tests.runtime.stream_worker import Outcome, StreamWorker

LIMIT_S = 60.0  # a file takes half a second
MOST_OPEN_FILES = 8  # more than before; a leak of one a file passes that soon
TOLD = {*ExitCode} - {ExitCode.USAGE, ExitCode.INTERRUPTED}  # the codes that an input can lead to
WRITTEN = {ExitCode.DONE, ExitCode.PARTIAL, ExitCode.FELL_BACK}
ENDINGS = (".mp4", ".mkv", ".mov", ".ts")
SMALL = {"size": (64, 48), "frames": 12}
ALL_STREAMS = Extras(subtitles="mov_text", chapters=True)
MATROSKA = Extras(subtitles="subrip", chapters=True, attachment=b"font" * 20)
UNEVEN = {"time_base": Fraction(1, 1000), "pts_list": [0, 40, 41, 100, 350, 351, 352, 900]}
CORPUS = {
    "b_frames.mp4": {**SMALL, "options": {"bf": "2", "g": "6"}, "extras": ALL_STREAMS},
    "fragmented.mp4": {**SMALL, "muxer_options": {"movflags": "frag_keyframe+empty_moov"}, "options": {"g": "4"}},
    "uneven.mp4": {"size": (64, 48), **UNEVEN, "codec": "libx265", "extras": Extras()},
    "turned.mov": {**SMALL, "rotation": 90, "extras": Extras(n_audio_tracks=2)},
    "deep.mkv": {**SMALL, "codec": "ffv1", "pix_fmt": "yuv422p10le", "extras": Extras()},
    "subtitles.mkv": {**SMALL, "options": {"bf": "2"}, "extras": MATROSKA},
    "gop.ts": {**SMALL, "frames": 30, "options": {"bf": "2", "g": "10"}, "extras": Extras()},
    "hevc.ts": {**SMALL, "codec": "libx265", "extras": Extras(n_audio_tracks=2)},
    "old.avi": {**SMALL, "codec": "mpeg4", "extras": Extras(audio="mp3")},
    "web.webm": {**SMALL, "codec": "libvpx-vp9", "extras": Extras(audio="libopus")},
    "raw.h264": {**SMALL, "options": {"bf": "2"}},
    "raw.hevc": {**SMALL, "codec": "libx265"},
}


@dataclass
class Findings:
    """What came of damaged files: how many ended with which exit code, and a sentence for every one that was wrong."""

    runs: int = 0
    exit_codes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    failures: list[str] = field(default_factory=list)


def make_corpus(folder: Path) -> list[Path]:
    """Write a small file for every container and most codecs; x264 writes other bytes each time, whatever the seed."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_made(folder / name, **asked) for name, asked in CORPUS.items()]


def _made(path: Path, muxer_options: Mapping[str, str] = MappingProxyType({}), **asked: Any) -> Path:
    return make_video(path, muxer_options={"fflags": "+bitexact", **muxer_options}, **{"extras": SILENT, **asked})


class Fuzzer:
    """Damages files of a corpus, has stream.py enhance them, and keeps those where something is wrong."""

    def __init__(self, folder: Path, model: Path, worker: StreamWorker, keep: Path | None = None) -> None:
        self.findings = Findings()
        self._folder, self._model, self._worker, self._keep = folder, model, worker, keep
        self._corpus = make_corpus(folder / "corpus")
        self._n_open_files: int | None = None

    def run(self, seed: int, runs: int, seconds: float = float("inf")) -> Findings:
        """Try so many files, or for so long."""
        end = time.monotonic() + seconds
        for number in range(runs):
            if time.monotonic() > end:
                break
            self._try(f"{seed}-{number}")
        return self.findings

    def _try(self, name: str) -> None:
        random = Random(name)
        source = self._damaged_file(random)
        output = self._empty("out") / f"out{random.choice(ENDINGS)}"
        options = ["-o", str(output), "--model", str(self._model), "--backend", "onnxruntime", "--threads", "2"]
        start = time.monotonic()
        outcome = self._worker.run([str(source), *options, "--json"], LIMIT_S)
        self._note(name, source, outcome, time.monotonic() - start, self._fault(outcome, output))

    def _empty(self, name: str) -> Path:
        """Make a folder without what the run before has left: segments for going on with it, for one."""
        folder = self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def _damaged_file(self, random: Random) -> Path:
        whole = random.choice(self._corpus)
        path = self._folder / f"in{whole.suffix}"
        if random.random() < 0.15:
            try:
                return without_packets(whole, path, random)
            except (av.FFmpegError, ValueError):  # this container can't do without
                pass
        path.write_bytes(damaged(whole.read_bytes(), random))
        return path

    def _fault(self, outcome: Outcome, output: Path) -> str | None:
        return fault(outcome, output) or self._leak(outcome)

    def _leak(self, outcome: Outcome) -> str | None:
        """Say what a run left open; the first one opens what stays, such as a library's own files."""
        if self._n_open_files is None:
            self._n_open_files = outcome.n_open_files
        if outcome.n_threads:
            return f"{outcome.n_threads} threads were left"
        n_more = outcome.n_open_files - self._n_open_files
        return f"{n_more} files were left open" if n_more > MOST_OPEN_FILES else None

    def _note(self, name: str, source: Path, outcome: Outcome, elapsed_s: float, wrong: str | None) -> None:
        findings = self.findings
        findings.runs += 1
        findings.exit_codes[str(outcome.code)] += 1
        findings.slowest_s = max(findings.slowest_s, elapsed_s)
        if wrong is None:
            return
        findings.failures.append(f"{name} ({source.suffix}): {wrong}")
        if self._keep:
            self._keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, self._keep / f"{name}{source.suffix}")
            (self._keep / f"{name}.txt").write_text(f"{wrong}\n\n{outcome.stdout}\n{outcome.stderr}")


def fault(outcome: Outcome, output: Path) -> str | None:
    """Say what is wrong with the end of a run, or None: its exit code, what it said, and what it left behind."""
    if outcome.ending:
        return outcome.ending
    if outcome.code is None or "Traceback" in outcome.stderr:
        return "an exception instead of a sentence"
    if outcome.code not in TOLD:
        return f"exit code {outcome.code}"
    return fault_of_file(outcome, output) if outcome.code in WRITTEN else fault_of_error(outcome, output)


def fault_of_error(outcome: Outcome, output: Path) -> str | None:
    """Say what is wrong with a run that failed: it says why, once, and leaves no file that it doesn't speak of."""
    if output.exists():
        return f"exit code {outcome.code}, but {output.name} is there"
    partial = partial_path(output)
    if partial.exists() and partial.name not in outcome.stderr:
        return f"exit code {outcome.code}, and not a word about {partial.name}"
    sentences = [line for line in outcome.stderr.splitlines() if line.startswith("stream: ")]
    return None if len(sentences) == 1 else f"{len(sentences)} sentences about one error"


def fault_of_file(outcome: Outcome, output: Path) -> str | None:
    """Say what is wrong with a file that was written: an independent decode finds the frames that the summary says."""
    told = json.loads(outcome.stdout)["frames_out"]
    times_s = times_of(output)
    if len(times_s) != told:
        return f"{told} frames were written, {len(times_s)} decode"
    if any(later <= earlier for earlier, later in pairwise(times_s)):
        return f"time stamps don't increase: {list(map(float, times_s))}"
    return "a partial file stays" if partial_path(output).exists() else None


def fuzz(folder: Path, model: Path, seed: int, runs: int, seconds: float, keep: Path | None = None) -> Findings:
    """Try damaged files in a worker of their own."""
    with StreamWorker(folder) as worker:
        return Fuzzer(folder, model, worker, keep).run(seed, runs, seconds)


def main(argv: list[str] | None = None) -> int:
    """Run once, from the command line; print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="[%(default)s]")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop then [never]")
    parser.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    parser.add_argument("--keep", type=Path, help="folder for the files where something is wrong [none is kept]")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        model = export_network("live", Path(folder) / "live.onnx")
        findings = fuzz(Path(folder), model, args.seed, args.runs, args.seconds, args.keep)
    print(json.dumps(vars(findings), indent=2))
    return 1 if findings.failures else 0


if __name__ == "__main__":
    sys.exit(main())
