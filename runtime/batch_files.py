"""Which files a batch enhances, and where each one's output goes."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvqe.errors import InputError, UsageError
from runtime.output_path import default_output

VIDEO_ENDINGS = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mxf", ".nut", ".ogv", ".webm", ".wmv"),
        *(".m2ts", ".mpeg", ".mpg", ".mts", ".ts", ".vob"),
        *(".264", ".265", ".av1", ".h264", ".h265", ".hevc", ".ivf", ".y4m"),
    }
)
OWN_WORDS = (".enhanced", ".partial")  # before the ending: outputs are no inputs of the next batch


@dataclass(frozen=True)
class Job:
    """One file to enhance."""

    source: Path
    output: Path


def find_jobs(inputs: Sequence[str], list_file: Path | None, folder: Path | None) -> list[Job]:
    """List files in the order given, each once.

    Args:
        inputs: files, folders (all videos below them), or patterns as in a shell.
        list_file: a text file with one more of them a line, relative ones relative to it; # begins a line of comment.
        folder: for the outputs, which keep their names and their places below a folder that was given; None: beside
            their inputs, as in.enhanced.mp4.

    Raises:
        InputError: nothing is there of what an input names.
        UsageError: nothing is named, or two inputs would become one output.
    """
    listed = [] if list_file is None else list(_listed(list_file))
    found = dict(pair for given in [*inputs, *listed] for pair in _found(given, folder))
    if not found:
        raise UsageError("no input is named; give files, folders or patterns, or --list FILE.")
    jobs = [Job(source, _output(source, below, folder)) for source, below in found.items()]
    _refuse_one_output_for_two(jobs)
    _refuse_outputs_that_are_inputs(jobs)
    return jobs


def _found(given: str, outputs: Path | None) -> Iterator[tuple[Path, Path]]:
    """Yield what an input names, and the part of each path that is kept below the folder of outputs.

    What a folder or a pattern finds of our own making is passed over; a file that is named itself is not.
    """
    path = Path(given)
    if path.is_dir():
        videos = [each for each in sorted(path.rglob("*")) if _is_video(each) and not _is_ours(each, path, outputs)]
        if not videos:
            raise InputError(f"{path} holds no video ({', '.join(sorted(VIDEO_ENDINGS))}); name the files themselves.")
        yield from ((each, each.relative_to(path)) for each in videos)
        return
    # a name may have brackets in it: a file that is there is no pattern
    fitting = glob.glob(given, recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern
    found = (Path(each) for each in sorted(fitting))
    paths = [path] if path.exists() else [each for each in found if not _is_ours(each, each.parent, outputs)]
    if not paths:
        raise InputError(f"{given}: no such file, and no file fits it as a pattern.")
    yield from ((each, Path(each.name)) for each in paths if not each.is_dir())


def _is_video(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in VIDEO_ENDINGS and not path.name.startswith(".")


def _is_ours(path: Path, given: Path, outputs: Path | None) -> bool:
    """Tell an output of an earlier run: by its name, or by its place where outputs go below the inputs."""
    if path.stem.lower().endswith(OWN_WORDS):
        return True
    goes_below = outputs is not None and outputs.resolve() != given.resolve()
    return goes_below and outputs is not None and path.resolve().is_relative_to(outputs.resolve())


def _listed(list_file: Path) -> Iterator[str]:
    try:
        lines = list_file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{list_file} can't be read as a list of files ({error}).") from error
    names = (line.strip() for line in lines)
    yield from (str(list_file.parent / name) for name in names if name and not name.startswith("#"))


def _output(source: Path, below: Path, folder: Path | None) -> Path:
    beside = default_output(source)
    return beside if folder is None else folder / below.with_suffix(beside.suffix)


def _refuse_one_output_for_two(jobs: Iterable[Job]) -> None:
    sources: dict[Path, Path] = {}
    for job in jobs:
        other = sources.setdefault(job.output, job.source)
        if other != job.source:
            raise UsageError(
                f"{other} and {job.source} would both become {job.output}; give them as one folder, or run them apart."
            )


def _refuse_outputs_that_are_inputs(jobs: Iterable[Job]) -> None:
    sources = {job.source.resolve() for job in jobs}
    for job in jobs:
        if job.output.resolve() in sources:
            raise UsageError(f"{job.output} is one of the inputs; give the outputs another folder with -o.")
