"""Enhance a compressed video: same frames, same time stamps, all other streams kept, better pictures.

$ python runtime/stream.py in.mp4
$ python runtime/stream.py in.mp4 -o better.mp4 --reference original.mkv
$ python runtime/stream.py rtsp://camera/1 -o udp://239.0.0.1:5000 --realtime
$ capture | python runtime/stream.py - -o live.m3u8

A network that takes a guide (MGANet) gets the means of HEVC's own transform units, read from the bitstream; of other
codecs, and of damaged pictures, a fixed grid's instead, which is said and counted.

exit codes: 0 done, 1 error, 2 usage, 3 unreadable input, no video, or damage with --strict, 4 partial, 5 done but
frames fell back to the decoded ones, 130 interrupted (what was done is kept as OUT.partial.<ext>)

Whole segments of what was done are kept in OUT.<ext>.resume until the output is whole, whatever ends a run: a kill, a
full disk, Ctrl-C. The same command with --resume goes on from there.
"""

import contextlib
import io
import json
import logging
import sys
import time
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError, ExitCode
from runtime import stream_options
from runtime.decoder import Source
from runtime.destination_address import is_stdout
from runtime.interrupts import interrupted_by_all_signals
from runtime.pipeline import Progress
from runtime.run import stream
from runtime.stream_config import StreamConfig
from runtime.summary import Summary


def parse_args(argv: list[str] | None = None) -> tuple[StreamConfig, bool]:
    """Read the command line; the flag is --json."""
    return stream_options.parse_args(argv, __doc__)


def show_start(summary: Summary) -> None:
    """Say what will run, before it does."""
    print(f"{summary.model} by {summary.backend} in {summary.precision}: {summary.reason}", file=sys.stderr)
    if summary.warning:
        print(summary.warning, file=sys.stderr)


class ProgressLine:
    """One line, rewritten twice a second on a terminal; into a file, a line every ten seconds."""

    def __init__(self) -> None:
        self.start = self.shown = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def __call__(self, progress: Progress, source: Source) -> None:
        """Show frames and frames a second so far."""
        now = time.monotonic()
        if now - self.shown < (0.5 if self.is_terminal else 10.0):
            return
        self.shown = now
        with contextlib.suppress(OSError):  # a terminal that was closed is no reason to stop
            self._show(progress, source, now)

    def _show(self, progress: Progress, source: Source, now: float) -> None:
        total = source.info.n_frames_claimed
        of_total = f" of {total}" if total else ""
        line = f"{progress.n_written}{of_total} frames, {progress.n_written / (now - self.start):.1f} frames/s"
        print(
            f"\r{line} " if self.is_terminal else line,
            end="" if self.is_terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def clear(self) -> None:
        """Make room for what is said next."""
        with contextlib.suppress(OSError):
            print("\r\033[K" if self.is_terminal else "", end="", file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Enhance one file; our own errors become one message."""
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="backslashreplace")  # names of files need not be text
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    config, as_json = parse_args(argv)
    line = ProgressLine()
    try:
        with interrupted_by_all_signals():
            summary = stream(config, show_start, line)
    except CvqeError as error:
        line.clear()
        print("\n".join([f"stream: {error}", *getattr(error, "__notes__", [])]), file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt as stop:
        line.clear()
        print("stream: stopped;", *getattr(stop, "__notes__", ["nothing was kept"]), file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    line.clear()
    with contextlib.suppress(OSError):
        text = json.dumps(summary.as_dict(), indent=2) if as_json else str(summary)
        print(text, file=sys.stderr if is_stdout(config.output) else sys.stdout, flush=True)
    return int(summary.exit_code)


if __name__ == "__main__":
    raise SystemExit(main())
