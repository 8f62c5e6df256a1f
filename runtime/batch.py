"""Enhance many videos, one after another; a file that fails does not stop the others.

$ python runtime/batch.py recordings/ -o enhanced/
$ python runtime/batch.py 'season1/*.mkv' extra.mp4 -o enhanced/ -- --model live --crf 16

What follows -- goes to stream.py. An output that is there is kept, so the same command goes on after a stop. Files in
folders keep their places. More than one worker pays only where there are more GPUs, or files too small to keep a
processor busy: one file uses all cores.

exit codes: those of stream.py, the worst of all files (1 error, 2 usage, 3 unreadable, 4 partial, 5 fell back, 0 done),
130 interrupted
"""

import argparse
import json
import signal
import sys
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError, ExitCode
from runtime import stream
from runtime.batch_files import Job, find_jobs
from runtime.batch_run import KEPT, Batch, FileResult, worst
from runtime.option_values import whole_number


def parse_args(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Read our options, and check those for stream.py before any file is begun."""
    end = argv.index("--") if "--" in argv else len(argv)
    own, more = argv[:end], argv[end + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="*", help="files, folders, patterns")
    parser.add_argument("--list", type=Path, dest="list_file", help="text file with one input a line")
    parser.add_argument("-o", "--output", type=Path, help="folder for the outputs [beside each, as NAME.enhanced.mp4]")
    parser.add_argument("--workers", type=whole_number(1, 64), default=1, help="files at once [%(default)s]")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that are there")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(own)
    config, _ = stream.parse_args(["in.mp4", *more])
    if config.output or config.reference:
        parser.error("--output and --reference of stream.py are for one file; -o FOLDER goes before the --")
    return options, more


def show(result: FileResult, number: int, total: int) -> None:
    """Say what became of a file."""
    of_frames = f"{result.frames} frames, {result.fps:.1f} frames/s, " if result.frames else ""
    print(f"[{number}/{total}] {result.source}: {of_frames}{result.outcome}", file=sys.stderr, flush=True)


def report(results: list[FileResult], jobs: list[Job]) -> str:
    """Return counts, and every file that is not simply done."""
    n_kept = sum(result.outcome == KEPT for result in results)
    n_done = sum(result.exit_code == ExitCode.DONE for result in results) - n_kept
    counts = [f"{n_done} done", f"{n_kept} were there before" * bool(n_kept)]
    others = [result for result in results if result.exit_code != ExitCode.DONE]
    counts += [f"{len(others)} with a problem" * bool(others)]
    counts += [f"{len(jobs) - len(results)} not begun" * (len(results) < len(jobs))]
    lines = [f"{len(jobs)} files: {', '.join(filter(None, counts))}"]
    return "\n".join(lines + [f"  {each.source} (exit code {each.exit_code}): {each.outcome}" for each in others])


def main(argv: list[str] | None = None) -> int:
    """Enhance all of them and report."""
    options, more = parse_args(sys.argv[1:] if argv is None else argv)
    for name in ("SIGTERM", "SIGHUP"):  # a service manager's stop, or a terminal that closes, is as clean as Ctrl-C
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        jobs = find_jobs(options.inputs, options.list_file, options.output)
    except CvqeError as error:
        print(f"batch: {error}", file=sys.stderr)
        return int(error.exit_code)
    n_done = 0

    def on_done(result: FileResult) -> None:
        nonlocal n_done
        n_done += 1
        show(result, n_done, len(jobs))

    batch = Batch(more, options.workers, options.overwrite)
    results = batch.run(jobs, on_done)
    print(json.dumps([each.as_dict() for each in results], indent=2) if options.json else report(results, jobs))
    return int(ExitCode.INTERRUPTED if batch.is_stopped else worst(results))


if __name__ == "__main__":
    raise SystemExit(main())
