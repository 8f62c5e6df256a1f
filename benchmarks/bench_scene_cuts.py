"""Measure the detector of scene cuts: precision, recall, cost, and what a frame near a cut gains by it.

$ python benchmarks/bench_scene_cuts.py TEST_CLIPS

Segments of random length and clip follow each other by cuts, dissolves and fades, and some flash; they are joined as
thumbnails, for the means of a mixture are the mixture of the means. The gain is that of a joined and coded video whose
scenes are so short that no frame of it is far from a cut, enhanced with and without the detector.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.report import Timing, interleaved_ms
from cvqe.errors import CvqeError
from runtime.run import stream
from runtime.scene_cuts import SceneCuts, Thumbnail, change, thumbnail
from runtime.stream_config import StreamConfig
from training.clip_list import find_clips
from training.coder import encode_hevc
from training.luma_clips import Luma, load_luma

PACKAGES = ("numpy", "av")
CUT, DISSOLVE, FADE = "cut", "dissolve", "fade"
SHARES = {CUT: 0.7, DISSOLVE: 0.15, FADE: 0.15}  # of the transitions
FLASH_SHARE = 0.3  # of the segments
SHORTEST, LONGEST = 8, 48  # frames of a segment
DISSOLVE_FRAMES, FADE_FRAMES = (4, 16), (4, 12)
BLACK = 16.0
SCENE_FRAMES = 6  # of the coded video: with three neighbors on either side every window would reach across
QP, RATE = 37, Fraction(25)


@dataclass(frozen=True)
class BenchConfig:
    """Which clips, how many transitions, and where the results go."""

    clips: Path = report.ROOT.parent / "shared" / "clips" / "test"
    segments: int = 600
    seed: int = 0
    model: str = "live"
    output: Path = report.ROOT / "benchmarks" / "results" / "scene_cuts.csv"


@dataclass
class Joined:
    """Thumbnails of a made-up film; cuts and other places by the number of their first frame."""

    thumbs: list[Thumbnail] = field(default_factory=list)
    cuts: set[int] = field(default_factory=set)
    others: dict[int, str] = field(default_factory=dict)

    def append(self, segment: list[Thumbnail], transition: str, random: np.random.Generator) -> None:
        """Join another segment."""
        if transition == CUT or not self.thumbs:
            if self.thumbs:
                self.cuts.add(len(self.thumbs))
            self.thumbs += segment
            return
        low, high = DISSOLVE_FRAMES if transition == DISSOLVE else FADE_FRAMES
        n_mixed = min(int(random.integers(low, high + 1)), len(segment), len(self.thumbs))
        self.others |= dict.fromkeys(range(len(self.thumbs) - n_mixed, len(self.thumbs) + n_mixed + 1), transition)
        if transition == DISSOLVE:
            shares = np.linspace(0, 1, n_mixed + 2)[1:-1]
            before = self.thumbs[-n_mixed:]
            self.thumbs[-n_mixed:] = [
                (1 - share) * a + share * b for share, a, b in zip(shares, before, segment[:n_mixed], strict=True)
            ]
            self.thumbs += segment[n_mixed:]
        else:
            shares = np.linspace(1, 0, n_mixed)
            self.thumbs[-n_mixed:] = [_dimmed(a, s) for a, s in zip(self.thumbs[-n_mixed:], shares, strict=True)]
            self.thumbs += [_dimmed(a, s) for a, s in zip(segment, shares[::-1], strict=False)] + segment[n_mixed:]


def joined(clips: Sequence[list[Thumbnail]], config: BenchConfig) -> Joined:
    """Join random segments."""
    random, film, last = np.random.default_rng(config.seed), Joined(), -1
    for _ in range(config.segments):
        number = int(random.choice([each for each in range(len(clips)) if each != last]))
        clip, last = clips[number], number
        length = min(int(random.integers(SHORTEST, LONGEST + 1)), len(clip))
        first = int(random.integers(0, len(clip) - length + 1))
        segment = clip[first : first + length]
        start = len(film.thumbs)
        film.append(segment, str(random.choice(list(SHARES), p=list(SHARES.values()))), random)
        if random.random() < FLASH_SHARE and len(film.thumbs) - start > SHORTEST:
            _flash(film, start, random)
    return film


def _flash(film: Joined, start: int, random: np.random.Generator) -> None:
    """Make one or two frames in a segment's second half much brighter."""
    middle = (start + len(film.thumbs)) // 2
    for t in range(middle, middle + int(random.integers(1, 3))):
        film.thumbs[t] = np.clip(film.thumbs[t] * random.uniform(1.2, 2) + random.uniform(20, 90), 0, 255)
    film.others |= dict.fromkeys(range(middle, middle + 3), "flash")


def _dimmed(thumb: Thumbnail, share: float) -> Thumbnail:
    return np.asarray(BLACK + share * (thumb - BLACK), np.float32)


def detection_rows(film: Joined) -> Iterator[report.Row]:
    """Yield precision and recall, and how many false cuts there are where."""
    thumbs = ((t, np.asarray(thumb, np.float32)) for t, thumb in enumerate(film.thumbs))
    told = {t for t, is_cut in SceneCuts[int]().follow(thumbs) if is_cut}
    right, wrong = told & film.cuts, sorted(told - film.cuts)
    case = f"{len(film.thumbs)} frames, {len(film.cuts)} cuts"
    print(f"{case}: precision {len(right) / len(told):.3f}, recall {len(right) / len(film.cuts):.3f}")
    yield _row(case, "detector", "precision", "share", len(right) / len(told))
    yield _row(case, "detector", "recall", "share", len(right) / len(film.cuts))
    kinds = [film.others.get(t, "motion") for t in wrong]
    for kind in ("motion", "flash", DISSOLVE, FADE):
        print(f"  false cuts, {kind}: {kinds.count(kind)}")
        yield _row(case, "detector", f"false cuts, {kind}", "frames", kinds.count(kind))


def cost_rows() -> Iterator[report.Row]:
    """Yield what a 720p frame costs: always its thumbnail and a comparison, a search of shifts where much changed."""
    random = np.random.default_rng(0)
    luma = random.integers(0, 255, (720, 1280), np.uint8)
    before, after = (random.uniform(0, 255, (18, 32)).astype(np.float32) for _ in range(2))
    cases = {
        "thumbnail": lambda: thumbnail(luma, 8),
        "comparison, still": lambda: change(before, before),
        "comparison, with shifts": lambda: change(before, after),
    }
    for name, timing in interleaved_ms(cases, 200).items():
        print(f"{name}: {1000 * timing.median:.0f} us")
        yield report.row("1280x720", name, "time", "ms", timing, PACKAGES)


def gain_rows(lumas: Sequence[Luma], model: str) -> Iterator[report.Row]:
    """Yield the gain of a network on a video that is cut all the time, with and without the detector."""
    size = max({luma.shape[1:] for luma in lumas}, key=[luma.shape[1:] for luma in lumas].count)
    film = _cut_all_the_time([luma for luma in lumas if luma.shape[1:] == size])
    case = f"{len(film)} frames of {size[1]}x{size[0]}, a cut every {SCENE_FRAMES}"
    with tempfile.TemporaryDirectory() as folder:
        pristine, coded = Path(folder) / "pristine.mkv", Path(folder) / "coded.mkv"
        _write_lossless(pristine, film)
        coded.write_bytes(encode_hevc([_picture(luma) for luma in film], RATE, "ldp", QP))
        for name, wants_cuts in (("with", True), ("without", False)):
            output = Path(folder) / f"{name}.mkv"
            config = StreamConfig(coded, output, model=model, reference=pristine, scene_cuts=wants_cuts)
            summary = stream(config, lambda _: None, lambda *_: None)
            assert summary.gains_network is not None
            gain = summary.gains_network.delta_psnr_db
            print(f"{case}, {name} the detector: {gain:+.3f} dB, {summary.scene_cuts} cuts found")
            yield _row(case, f"{model}, {name} the detector", "gain", "dB", gain)


def _cut_all_the_time(lumas: Sequence[Luma]) -> list[NDArray[np.uint8]]:
    """Show six frames of one clip after another, until the shortest ends."""
    shortest = min(map(len, lumas))
    starts = range(0, shortest - SCENE_FRAMES + 1, SCENE_FRAMES)
    return [frame for start in starts for luma in lumas for frame in luma[start : start + SCENE_FRAMES]]


def _picture(luma: NDArray[np.uint8]) -> av.VideoFrame:
    height, width = luma.shape
    gray = np.full((height // 2, width), 128, np.uint8)
    return av.VideoFrame.from_ndarray(np.concatenate([luma, gray]), "yuv420p")


def _write_lossless(path: Path, film: Sequence[NDArray[np.uint8]]) -> None:
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=RATE)
        video.width, video.height, video.pix_fmt = film[0].shape[1], film[0].shape[0], "yuv420p"
        for number, luma in enumerate(film):
            picture = _picture(luma)
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))


def _row(case: str, provider: str, metric: str, unit: str, number: float) -> report.Row:
    return report.row(case, provider, metric, unit, Timing(number, number, number), PACKAGES)


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = BenchConfig
    parser.add_argument("clips", type=Path, nargs="?", default=default.clips, help="folder of pristine clips")
    parser.add_argument("--segments", type=int, default=default.segments, help="to join [%(default)s]")
    parser.add_argument("--seed", type=int, default=default.seed, help="[%(default)s]")
    parser.add_argument("--model", default=default.model, help="network whose gain is measured [%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV to write")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure everything, then write a new CSV."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    config = parse_args(argv)
    try:
        lumas = [load_luma(clip) for clip in find_clips(config.clips)]
        film = joined([[thumbnail(frame, 8) for frame in luma] for luma in lumas], config)
        rows = [*detection_rows(film), *cost_rows(), *gain_rows(lumas, config.model)]
    except CvqeError as error:
        print(f"bench_scene_cuts: {error}", file=sys.stderr)
        return int(error.exit_code)
    report.write_rows(config.output, [asdict(row) for row in rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
