"""What a coded clip says of itself: the settings and the source it was made with, and its size on the wire."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import av
from av.container import InputContainer

TAG = "CVQE_CODING"  # Matroska keeps names in capitals as they are
NAL_LENGTH_BYTES = 4  # in Matroska, before every NAL unit; as long as Annex B's start code
HEVC_SEI, AVC_SEI = (39, 40), (6,)


@dataclass(frozen=True)
class Record:
    """What decided the bits of a coded clip.

    Attributes:
        settings: of the encoder (Coding.settings).
        source_sha256: of the pristine file.
        n_frames: in the clip.
    """

    settings: dict[str, str]
    source_sha256: str
    n_frames: int

    @property
    def tags(self) -> dict[str, str]:
        """Give the container's tags that hold it."""
        return {TAG: json.dumps(asdict(self), sort_keys=True)}

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits that another record doesn't share."""
        return sha256(self.tags[TAG].encode()).hexdigest()[:16]


@dataclass(frozen=True)
class CodedFile:
    """A coded clip without its pictures.

    Attributes:
        record: what it was made with.
        n_packets: coded pictures that are there.
        n_bytes: of the coded pictures, without container, parameter sets and the encoder's message about itself.
    """

    record: Record
    n_packets: int
    n_bytes: int

    @property
    def is_whole(self) -> bool:
        """Say whether every frame is there."""
        return self.n_packets == self.record.n_frames


def read_coded_file(path: Path) -> CodedFile | None:
    """Read what a coded clip says of itself; None where there is no such file or it isn't one of ours."""
    if not path.is_file():
        return None
    try:
        with av.open(str(path)) as container:
            record = _record(container)
            if record is None or not container.streams.video:
                return None
            sizes = list(_packet_sizes(container))
            return CodedFile(record, len(sizes), sum(sizes))
    except av.FFmpegError:  # no video at all: as good as not there, it will be made anew
        return None


def _record(container: InputContainer) -> Record | None:
    try:
        return Record(**json.loads(container.metadata[TAG]))
    except (KeyError, ValueError, TypeError):
        return None


def _packet_sizes(container: InputContainer) -> Iterator[int]:
    """Yield the bytes of every coded picture, its SEI messages not counted."""
    is_hevc = container.streams.video[0].codec_context.codec.canonical_name == "hevc"
    for packet in container.demux(video=0):
        if packet.size:
            yield sum(NAL_LENGTH_BYTES + len(nal) for nal in _nal_units(bytes(packet)) if not _is_sei(nal, is_hevc))


def _nal_units(packet: bytes) -> Iterator[bytes]:
    start = 0
    while start + NAL_LENGTH_BYTES < len(packet):
        end = start + NAL_LENGTH_BYTES + int.from_bytes(packet[start : start + NAL_LENGTH_BYTES], "big")
        yield packet[start + NAL_LENGTH_BYTES : end]
        start = end


def _is_sei(nal: bytes, is_hevc: bool) -> bool:
    kind = nal[:1]
    return bool(kind) and ((kind[0] >> 1 & 63) in HEVC_SEI if is_hevc else (kind[0] & 31) in AVC_SEI)
