"""A process that runs stream.py's main() again and again, seen from outside: calls, time limits, crashes.

test --["in.mp4", "-o", ...]--> worker_process.py --{"code": 0, "n_open_files": 9, ...}--> test
                                       \\--> stdout.txt, stderr.txt in its folder, there after a crash, too
"""

import json
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0  # imports, on a busy machine
TRACE_S = 20.0  # what writing the stacks of all threads may take


@dataclass(frozen=True)
class Outcome:
    """How one call of main() ended.

    Attributes:
        code: exit code; None after a hang or a crash, which `ending` names, and after an exception.
        n_open_files, n_threads: of the worker afterwards; threads are the pipeline's own.
    """

    code: int | None
    stdout: str
    stderr: str
    ending: str = ""
    n_open_files: int = 0
    n_threads: int = 0


class StreamWorker:
    """A worker process, a context manager; started when it is needed and again after a crash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "StreamWorker":
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGKILL)

    def run(self, argv: Sequence[str], limit_s: float) -> Outcome:
        """Run main(argv) in the worker; a call that takes longer than `limit_s` is a hang and ends the worker."""
        process = self._started()
        assert process.stdin is not None
        process.stdin.write(json.dumps(list(argv)).encode() + b"\n")
        process.stdin.flush()
        answer = self._answer(process, limit_s)
        if answer is None:
            ending = self._end(signal.SIGABRT)  # faulthandler writes down where every thread is
            return Outcome(None, self._text("stdout"), self._text("stderr"), ending)
        return Outcome(stdout=self._text("stdout"), stderr=self._text("stderr"), **answer)

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            command = [sys.executable, "-m", "tests.runtime.worker_process", str(self._folder)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
            assert self._answer(self._process, START_S) is not None, "the worker didn't start"
        return self._process

    @staticmethod
    def _answer(process: "subprocess.Popen[bytes]", limit_s: float) -> dict[str, int | None] | None:
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], limit_s)[0]:
            return None
        line = process.stdout.readline()
        return json.loads(line) if line else None

    def _end(self, number: int) -> str:
        """End the worker if it still runs; say what became of it."""
        process, self._process = self._process, None
        if process is None:
            return ""
        assert process.stdin is not None and process.stdout is not None
        was_alive = process.poll() is None and not select.select([process.stdout], [], [], 0)[0]
        if was_alive:
            process.send_signal(number)
        try:
            code = process.wait(TRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdin.close()
        process.stdout.close()
        return "hung" if was_alive else f"crashed with {signal.Signals(-code).name if code < 0 else code}"

    def _text(self, name: str) -> str:
        path = self._folder / f"{name}.txt"
        return path.read_text(errors="replace") if path.exists() else ""
