"""A batch: stream.py for one file after another, each in a process of its own, whatever becomes of the others."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cvqe.errors import ExitCode
from runtime.batch_files import Job

STREAM = Path(__file__).resolve().parent / "stream.py"
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has one way to end a process
KEPT = "kept"  # the outcome of a file whose output was there before
# the worse ones last: what a batch ends with is the worst of its files
ORDER = (ExitCode.DONE, ExitCode.FELL_BACK, ExitCode.PARTIAL, ExitCode.UNREADABLE_INPUT, ExitCode.USAGE, ExitCode.ERROR)


@dataclass(frozen=True)
class FileResult:
    """What became of one file; `outcome` is "done", "kept", or the sentence that says what went wrong."""

    source: str
    output: str
    exit_code: int
    outcome: str
    frames: int = 0
    fps: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return asdict(self)


class Batch:
    """Files under way. A first Ctrl-C lets those that run finish what they have, a second one does not."""

    def __init__(self, options: Sequence[str], n_workers: int, overwrites: bool) -> None:
        """Take options of stream.py for every file."""
        self._options, self._n_workers, self._overwrites = list(options), n_workers, overwrites
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self.is_stopped = False

    def run(self, jobs: Sequence[Job], on_done: Callable[[FileResult], None]) -> list[FileResult]:
        """Enhance every file; returns results in the order of jobs, without those that a stop came before."""
        with ThreadPoolExecutor(self._n_workers) as pool:
            futures = [pool.submit(self._enhanced, job, on_done) for job in jobs]
            for number in (signal.SIGTERM, KILL, KILL):
                try:
                    return [result for future in futures if (result := future.result())]
                except KeyboardInterrupt:
                    self.stop(number)
            return [result for future in futures if (result := future.result())]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Begin no other file; those under way finish as after Ctrl-C, or at once after SIGKILL."""
        with self._lock:
            self.is_stopped = True
            for process in self._running:
                process.send_signal(number)

    def _enhanced(self, job: Job, on_done: Callable[[FileResult], None]) -> FileResult | None:
        if job.output.exists() and not self._overwrites:
            result: FileResult | None = FileResult(str(job.source), str(job.output), ExitCode.DONE, KEPT)
        else:
            try:
                result = self._streamed(job)
            except OSError as error:  # the folder of the output can't be made, or no process be started
                result = FileResult(str(job.source), str(job.output), ExitCode.ERROR, str(error))
        if result:
            on_done(result)
        return result

    def _streamed(self, job: Job) -> FileResult | None:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        process = self._started(job)
        if process is None:
            return None
        text, said = process.communicate()
        with self._lock:
            self._running.discard(process)
        return _result(job, process.returncode, text, said)

    def _started(self, job: Job) -> "subprocess.Popen[str] | None":
        # what is there without its final name is of a run that was killed: it goes on, or begins anew if it has to
        ways = ["--json", "--overwrite", *["--resume"] * (not self._overwrites)]
        command = [sys.executable, str(STREAM), str(job.source), "-o", str(job.output), *ways]
        with self._lock:
            if self.is_stopped:
                return None
            process = subprocess.Popen(
                [*command, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=os.name == "posix",  # a terminal's Ctrl-C reaches us alone; we hand it on
            )
            self._running.add(process)
        return process


def worst(results: Sequence[FileResult]) -> ExitCode:
    """Return the exit code of a batch: that of its worst file, and 1 for one that has none of ours."""
    codes = {result.exit_code for result in results}
    if codes - {int(code) for code in ORDER}:
        return ExitCode.ERROR
    return max((ExitCode(code) for code in codes), key=ORDER.index, default=ExitCode.DONE)


def _result(job: Job, exit_code: int, text: str, said: str) -> FileResult:
    try:
        summary = json.loads(text)
    except ValueError:  # it ended with an error, whose sentence is the last thing it said
        lines = [line for line in said.replace("\r", "\n").splitlines() if line.strip()]
        own = [line.removeprefix("stream: ") for line in lines if line.startswith("stream: ")]
        outcome = (own or lines)[-1] if lines else f"ended with {exit_code} and without a word"
        if exit_code == -signal.SIGTERM:  # it had not begun to decode
            exit_code, outcome = ExitCode.INTERRUPTED, "interrupted, nothing was kept"
        return FileResult(str(job.source), str(job.output), exit_code, outcome)
    written = str(summary["output"] or job.output)
    figures = (summary["frames_out"], summary["fps"])
    # its own word counts: a stop may still have met the process while it went away
    return FileResult(str(job.source), written, summary["exit_code"], _outcome(summary), *figures)


def _outcome(summary: dict[str, Any]) -> str:
    if summary["is_interrupted"]:
        return f"interrupted, kept as {summary['output']}" if summary["output"] else "interrupted, nothing was kept"
    if summary["truncated"]:
        return str(summary["truncated"])
    n_fallen_back = summary["frames_fallen_back"]
    return f"done, but {n_fallen_back} frames stay as decoded" if n_fallen_back else "done"
