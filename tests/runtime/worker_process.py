"""Run stream.py's main() for every line of the standard input: importing it again for every file would take seconds."""

import contextlib
import faulthandler
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from runtime import stream


def main(argv: Sequence[str]) -> int:
    """Answer every line of the standard input, a list of arguments as JSON, with a line about what came of it."""
    folder = Path(argv[0])
    faulthandler.enable()
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        print(json.dumps({}), file=answers, flush=True)
        for line in sys.stdin:
            with _into(folder / "stdout.txt", sys.stdout.fileno()), _into(folder / "stderr.txt", sys.stderr.fileno()):
                code = _exit_code(json.loads(line))
            counts = {"n_open_files": _n_open_files(), "n_threads": _n_threads()}
            print(json.dumps({"code": code, **counts}), file=answers, flush=True)
    return 0


def _exit_code(argv: list[str]) -> int | None:
    try:
        return stream.main(argv)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else None
    except BaseException:
        traceback.print_exc()
        return None


@contextlib.contextmanager
def _into(path: Path, descriptor: int) -> Iterator[None]:
    """Lead everything that is written to a descriptor, by libraries too, into a file."""
    kept = os.dup(descriptor)
    with path.open("wb") as file:
        os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(kept, descriptor)
        os.close(kept)


def _n_open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names alone: each would be looked up


def _n_threads() -> int:
    return sum(thread.name.startswith("cvqe-") for thread in threading.enumerate())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
