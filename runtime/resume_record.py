"""What a run has done so far, kept beside its output, so that another one can go on after a kill.

    out.mp4.resume/  run.json           what is enhanced, with what: nothing else goes on with it
                     00000000.packets   the first segment, encoded: so many frames, by an encoder of its own
                     00000001.packets
                     segments.jsonl     the manifest: a line for each segment that is whole and on the disk

A run that goes on reads its input from the beginning, so that everything before the engine is as it was the first
time: time stamps, scene cuts, neighbors. It enhances and encodes only from the first frame that no segment holds.
"""

import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from av.packet import Packet
from av.stream import Stream

from cvqe.errors import CvqeError, UsageError
from cvqe.whole_file import write_whole
from runtime.segment_file import SegmentWriter, checksum, read_segment
from runtime.write_errors import writing

_RUN, _MANIFEST = "run.json", "segments.jsonl"
Identity = Mapping[str, Any]
SEGMENT_FRAMES = 128


@dataclass(frozen=True)
class Resuming:
    """What a run is, and how it deals with what an earlier one has left.

    Attributes:
        identity: what decides over the enhanced frames, as JSON has it.
        resumes: take over segments of an earlier run.
        overwrites: begin anew where those are of another input, network or encoder.
        n_segment: frames of a segment.
    """

    identity: Identity
    resumes: bool = False
    overwrites: bool = False
    n_segment: int = SEGMENT_FRAMES


@dataclass(frozen=True)
class Segment:
    """A line of the manifest."""

    n_frames: int
    n_fallen_back: int
    n_bytes: int
    crc: int


def record_path(output: Path) -> Path:
    """Name the folder of an output's record: out.mp4 gives out.mp4.resume."""
    return output.with_name(output.name + ".resume")


def n_frames_kept(output: Path) -> int:
    """Count the frames that an earlier run has left for a later one; 0 where there is no record."""
    return sum(segment.n_frames for segment in _listed(record_path(output)))


def open_record(output: Path, wish: Resuming, encoding: Identity) -> "ResumeRecord":
    """Go on with the record of an output, or begin a new one.

    Args:
        output: its final name; no other run may hold it.
        wish: what the run is, and whether to go on.
        encoding: what an encoder adds to the run's identity.

    Raises:
        UsageError: they are, and that isn't wanted.
        CvqeError: the folder can't be written.
    """
    folder, identity = record_path(output), {**wish.identity, **encoding, "segment": wish.n_segment}
    if wish.resumes and (folder / _RUN).exists():
        differences = _differences(folder, identity)
        if not differences:
            return ResumeRecord(folder, wish.n_segment, _whole_ones(folder))
        if not wish.overwrites:
            raise UsageError(
                f"{folder} is of a run with another {' and '.join(differences)}; give the same options again, or begin "
                f"anew:  --overwrite"
            )
    _refuse_foreign(folder)
    with writing(str(folder)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        write_whole(folder / _RUN, json.dumps(identity, indent=2).encode())
    return ResumeRecord(folder, wish.n_segment, [])


class ResumeRecord:
    """The segments of one output, used by one thread at a time.

    Attributes:
        n_segment: frames of a segment.
        n_found: frames that were there when it was opened.
        n_fallen_back: those of them that stayed as decoded, because the network broke down.
    """

    def __init__(self, folder: Path, n_segment: int, found: list[Segment]) -> None:
        self.n_segment = n_segment
        self._folder = folder
        self._segments = found
        self._writer: SegmentWriter | None = None
        self.n_found = self.n_kept
        self.n_fallen_back = sum(segment.n_fallen_back for segment in found)

    @property
    def n_kept(self) -> int:
        """Frames that a later run needs not enhance again."""
        return sum(segment.n_frames for segment in self._segments)

    def packets(self, number: int) -> "Iterator[Packet[Stream]]":
        """Yield the packets of a segment, counted from 0, with the stamps that the encoder gave them.

        Raises:
            CvqeError: its file went away.
        """
        try:
            yield from read_segment(self._path(number))
        except OSError as error:
            path = self._path(number)
            raise CvqeError(f"{path} can't be read ({error.strerror}); begin anew:  --overwrite") from error

    def add(self, packet: "Packet[Stream]") -> None:
        """Keep a packet of the segment that is being encoded.

        Raises:
            CvqeError: the disk is full.
        """
        with writing(str(self._folder)):
            self._writer = self._writer or SegmentWriter(self._path(len(self._segments)).with_suffix(".tmp"))
            self._writer.add(packet)

    def end_segment(self, n_fallen_back: int) -> None:
        """Bring the segment to the disk, then its line: what the manifest names is there."""
        assert self._writer is not None
        writer = self._writer
        segment = Segment(self.n_segment, n_fallen_back, writer.n_bytes, writer.crc)
        with writing(str(self._folder)):
            writer.finish()
            writer.path.rename(self._path(len(self._segments)))
            _append(self._folder / _MANIFEST, json.dumps(asdict(segment)))
        self._writer = None
        self._segments.append(segment)

    def close(self) -> None:
        """Drop the segment that is not whole, and the folder if there is none that is."""
        if self._writer:
            self._writer.discard()
            self._writer = None
        if not self._segments:
            self.remove()

    def remove(self) -> None:
        """Remove everything: the output is whole."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08}.packets"


def remove_record(output: Path) -> None:
    """Remove what an earlier run has left of an output; a folder that is not ours stays."""
    folder = record_path(output)
    if (folder / _RUN).is_file():
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_foreign(folder: Path) -> None:
    """Keep away from a folder, or a file, that only has the name of a record."""
    if folder.exists() and not (folder.is_dir() and ((folder / _RUN).is_file() or not any(folder.iterdir()))):
        raise UsageError(
            f"{folder} is in the way and not of an earlier run; move it, or keep no segments:  --segment 0"
        )


def _append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _listed(folder: Path) -> list[Segment]:
    """Read the manifest up to the first line that a kill has cut off."""
    path = folder / _MANIFEST
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return [segment for segment in itertools.takewhile(bool, map(_segment, lines)) if segment]


def _segment(line: str) -> Segment | None:
    try:
        return Segment(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _whole_ones(folder: Path) -> list[Segment]:
    """List the segments up to the first that is damaged, and forget the others."""
    whole = []
    for number, segment in enumerate(_listed(folder)):
        path = folder / f"{number:08}.packets"
        if not path.exists() or path.stat().st_size != segment.n_bytes or checksum(path) != segment.crc:
            break
        whole.append(segment)
    with writing(str(folder)):
        write_whole(folder / _MANIFEST, "".join(json.dumps(asdict(each)) + "\n" for each in whole).encode())
    return whole


def _differences(folder: Path, identity: Identity) -> list[str]:
    """Name what was different in the run that left the record."""
    try:
        before = json.loads((folder / _RUN).read_text())
    except (OSError, ValueError):
        return ["origin (its run.json can't be read)"]
    if not isinstance(before, dict):
        return ["origin (its run.json is none)"]
    now = json.loads(json.dumps(identity))
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
