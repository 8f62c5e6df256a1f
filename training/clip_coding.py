"""One clip, coded once: made, or taken from an earlier run, and measured."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import av

from cvqe.errors import CvqeError, InputError
from cvqe.metrics import psnr_db, ssim
from cvqe.whole_file import write_whole
from runtime.meter import FLAT_DB
from training.coded_file import CodedFile, Record, read_coded_file
from training.coder import decode_pictures, encode, frame_rate
from training.coding import Coding
from training.coding_index import IndexRow
from training.luma_clips import luma_from_pictures
from training.pristine_clip import pictures_of, sha256_of
from training.stoppable_pool import until_stopped


@dataclass(frozen=True)
class ClipJob:
    """What to code, into what.

    Attributes:
        source: pristine clip.
        target: final name of the coded one.
        coding: how.
        known: its row of the index, as far as there is one.
        wants_ssim: measure SSIM too.
    """

    source: Path
    target: Path
    coding: Coding
    known: IndexRow | None = None
    wants_ssim: bool = False


@dataclass(frozen=True)
class ClipResult:
    """A row of the index, and how it came about: "coded", "coded again" or "kept"."""

    row: IndexRow
    action: str


def code_clip(job: ClipJob) -> ClipResult:
    """Code one clip if no whole file with the same settings of the same source is there, and measure it.

    Raises:
        CvqeError: clip or disk don't allow it; the text begins with a path.
        Stopped: the run was stopped.
    """
    try:
        found = read_coded_file(job.target)
        if found is not None and found.is_whole and found.record == _record(job, found.record.n_frames):
            return ClipResult(_row(job, found), "kept")
        is_replaced = job.target.exists()
        return ClipResult(_row(job, _made(job)), "coded again" if is_replaced else "coded")
    except av.FFmpegError as error:
        raise InputError(f"{job.source}: {job.coding.encoder} failed ({error.strerror}); look at the clip.") from error
    except (OSError, MemoryError) as error:
        raise CvqeError(f"{job.source}: {error or 'not enough memory'}; nothing was written for it.") from error


def _record(job: ClipJob, n_frames: int) -> Record:
    return Record(job.coding.settings, sha256_of(job.source), n_frames)


def _made(job: ClipJob) -> CodedFile:
    """Decode the clip once to look at it, which is quick, and then to code it."""
    n_frames = sum(1 for _ in until_stopped(pictures_of(job.source, job.coding)))
    tags = _record(job, n_frames).tags
    pictures = until_stopped(pictures_of(job.source))
    content = encode(pictures, frame_rate(job.source), job.coding, n_frames, tags=tags)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(job.target, content)
    made = read_coded_file(job.target)
    assert made is not None and made.is_whole, f"{job.target} is not what was just written"
    return made


def _row(job: ClipJob, coded: CodedFile) -> IndexRow:
    known, digest = job.known, coded.record.digest
    if known and (known.settings, known.bytes) == (digest, coded.n_bytes) and (known.ssim or not job.wants_ssim):
        return known
    psnr, similarity = _quality(job)
    n_frames = coded.record.n_frames
    return IndexRow(
        clip=job.source.stem,
        configuration=job.coding.name,
        qp=job.coding.qp,
        frames=n_frames,
        psnr_db=psnr,
        bitrate_kbps=coded.n_bytes * 8 * float(frame_rate(job.source)) / n_frames / 1000,
        ssim=similarity,
        bytes=coded.n_bytes,
        settings=digest,
    )


def _quality(job: ClipJob) -> tuple[float, float | None]:
    """Measure frame by frame, so that long clips fit into memory."""
    psnrs, similarities = [], []
    pairs = zip(pictures_of(job.source), decode_pictures(job.target), strict=True)
    for pair in until_stopped(pairs):
        pristine, decoded = (luma_from_pictures([picture])[0] for picture in pair)
        psnrs.append(min(psnr_db(pristine, decoded), FLAT_DB))
        if job.wants_ssim:
            similarities.append(ssim(pristine, decoded))
    return fmean(psnrs), fmean(similarities) if similarities else None
