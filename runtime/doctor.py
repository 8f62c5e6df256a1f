"""Tell what this machine offers, what stream.py would choose on it, and what is missing.

$ python runtime/doctor.py
$ python runtime/doctor.py --json

exit codes: 0 stream.py can run, 1 it can't, 2 usage
"""

import argparse
import json
import sys
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import ExitCode
from runtime.diagnosis import diagnose


def main(argv: list[str] | None = None) -> int:
    """Print the diagnosis."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="try this network, by name or FILE.onnx [the one stream.py takes]")
    parser.add_argument("--json", action="store_true", help="print the diagnosis as JSON")
    options = parser.parse_args(argv)
    diagnosis = diagnose(options.model)
    print(json.dumps(diagnosis.as_dict(), indent=2) if options.json else diagnosis)
    return int(ExitCode.DONE if diagnosis.can_stream else ExitCode.ERROR)


if __name__ == "__main__":
    raise SystemExit(main())
