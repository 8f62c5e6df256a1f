"""Measure what interlaced video gains field by field, and what it gains as if its frames were of one moment.

$ python benchmarks/bench_interlaced.py TEST_CLIPS

Interlaced video is made of pristine clips: the rows of every frame come in turn from one moment and from the next. It
is coded by x264 as interlaced, at a constant quantiser.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.report import Timing
from cvqe.errors import CvqeError
from cvqe.frame import Frame
from cvqe.metrics import psnr_db
from runtime.decoder import open_source
from runtime.engine import Engine, EngineRequest, open_engine
from runtime.fields import open_field_engine
from runtime.model_file import ModelFile, find_model
from training.clip_list import find_clips
from training.luma_clips import load_luma

PACKAGES = ("numpy", "av", "openvino")
RATE = Fraction(25)
TOP_FIRST = 2  # FFmpeg's AV_FIELD_TT
ROWS = 4  # x264 takes interlaced 4:2:0 of a multiple of so many
Lumas = NDArray[np.uint8]  # [T, H, W]


@dataclass(frozen=True)
class BenchConfig:
    """Which clips, and where the results go."""

    clips: Path = report.ROOT.parent / "shared" / "clips" / "test"
    model: str = "live"
    qp: int = 37
    backend: str = "openvino"
    output: Path = report.ROOT / "benchmarks" / "results" / "interlaced.csv"


def interlaced(luma: Lumas) -> Lumas:
    """Weave every two frames into one: even rows of the first, odd rows of the second."""
    n_frames, height = len(luma) // 2, luma.shape[1] // ROWS * ROWS
    woven = luma[: 2 * n_frames : 2, :height].copy()
    woven[:, 1::2] = luma[1 : 2 * n_frames : 2, 1:height:2]
    return woven


def write_coded(path: Path, woven: Lumas, qp: int) -> None:
    """Code frames of two fields by x264, low-delay P as the networks were trained on."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = woven.shape[2], woven.shape[1], "yuv420p"
        video.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        video.codec_context.field_order = TOP_FIRST
        video.options = {"preset": "medium", "qp": str(qp), "bf": "0", "x264-params": "aq-mode=0:ipratio=1"}
        for number, luma in enumerate(woven):
            gray = np.full((luma.shape[0] // 2, luma.shape[1]), 128, np.uint8)
            picture = av.VideoFrame.from_ndarray(np.concatenate([luma, gray]), "yuv420p")
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))


def enhanced(engine: Engine, frames: list[Frame], radius: int) -> Iterator[Lumas]:
    """Enhance all frames of a scene, the first and the last repeated beyond its ends."""
    lumas = np.stack([frame.luma for frame in frames])
    for t, frame in enumerate(frames):
        window = lumas[np.clip(np.arange(t - radius, t + radius + 1), 0, len(frames) - 1)]
        yield engine.enhance(window, frame.qp).luma


def gain_rows(clip: Path, config: BenchConfig, model: ModelFile) -> Iterator[report.Row]:
    """Yield the gain of a clip both ways."""
    pristine = interlaced(load_luma(clip))
    with tempfile.TemporaryDirectory() as folder:
        coded = Path(folder) / "coded.mkv"
        write_coded(coded, pristine, config.qp)
        with open_source(coded) as source:
            assert source.info.is_interlaced
            frames = [item for item in source.items() if isinstance(item, Frame)]
    before = _mean_psnr_db(pristine, [frame.luma for frame in frames])
    request = EngineRequest(model, *pristine.shape[1:])
    case = f"{clip.stem}, {len(pristine)} frames"
    for way, open_it in (("field by field", open_field_engine), ("whole frames", open_engine)):
        engine = open_it(request, config.backend).engine
        gain = _mean_psnr_db(pristine, list(enhanced(engine, frames, model.manifest.radius))) - before
        print(f"{case}: {before:.2f} dB, {way} {gain:+.3f} dB")
        yield _row(case, f"{config.model}, {way}", gain)


def mean_rows(rows: list[report.Row]) -> Iterator[report.Row]:
    """Yield the mean of every way over all clips."""
    for provider in dict.fromkeys(row.provider for row in rows):
        gains = [row.median for row in rows if row.provider == provider]
        print(f"mean of {len(gains)} clips: {provider} {np.mean(gains):+.3f} dB")
        yield _row(f"mean of {len(gains)} clips", provider, float(np.mean(gains)))


def _mean_psnr_db(pristine: Lumas, lumas: list[Lumas]) -> float:
    return float(np.mean([psnr_db(a, b) for a, b in zip(pristine, lumas, strict=True)]))


def _row(case: str, provider: str, gain: float) -> report.Row:
    return report.row(case, provider, "gain", "dB", Timing(gain, gain, gain), PACKAGES)


def parse_args(argv: list[str] | None = None) -> BenchConfig:
    """Read the command line; unset options keep BenchConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = BenchConfig
    parser.add_argument("clips", type=Path, nargs="?", default=default.clips, help="folder of pristine clips")
    parser.add_argument("--model", default=default.model, help="network whose gain is measured [%(default)s]")
    parser.add_argument("--qp", type=int, default=default.qp, help="of the coded video [%(default)s]")
    parser.add_argument("--backend", default=default.backend, help="[%(default)s]")
    parser.add_argument("--output", type=Path, default=default.output, help="CSV to write")
    return BenchConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Measure everything, then write a new CSV."""
    config = parse_args(argv)
    try:
        model = find_model(config.model, config.qp)
        rows = [row for clip in find_clips(config.clips) for row in gain_rows(clip, config, model)]
    except CvqeError as error:
        print(f"bench_interlaced: {error}", file=sys.stderr)
        return int(error.exit_code)
    rows += list(mean_rows(rows))
    report.write_rows(config.output, [asdict(row) for row in rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
