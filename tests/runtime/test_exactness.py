"""Made-up videos through the whole pipeline: what an independent look finds afterwards is what was there before.

The rule about time: a frame's time in seconds is exactly the source's wherever the output's clock can tell it. MP4 and
MOV take over the source's clock. MPEG-TS counts 1/90000 s and Matroska milliseconds: there a time of a finer clock is
the nearest tick, halves away from zero. Both know no time below zero: a file that has one, of sound or of the decoding
of its first frames, moves there as a whole. Sound in MPEG-TS is told once for some packets together, and counts on.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from math import ceil
from pathlib import Path

import av
import numpy as np
import pytest
from av.rational import AVRational
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from runtime.decoder import open_source
from runtime.encoder import Sink, open_sink
from runtime.encoder_settings import EncoderOptions
from runtime.engine import Enhanced
from runtime.pipeline import Pipeline
from runtime.slots import RingLayout
from tests.media import BT709, PQ, SILENT, Color, Extras, make_video, plane_bytes
from tests.oracle import Look, look_at

RADIUS = 2
SHORTEST_FRAME_S = Fraction(2, 1000)  # further apart than Matroska's ticks
LONGEST_FRAME_S = Fraction(1, 5)
EXACT = Fraction(0)
ONE_MS = Fraction(1, 1000)  # Matroska's sound is up to half of that off, which MPEG-TS counts on from
MOST_BELOW_ZERO_S = Fraction(1, 2)  # sound starts 0.2 s early here, its coder's delay before that
BT601_FULL = Color(range=2, space=5, primaries=5, trc=6)
CODED = {  # pixel formats that are coded and come out as they went in
    "libx264": ["yuv420p", "yuv422p", "yuv444p"],
    "libx265": ["yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv444p12le"],
}
LOSSLESS = ["gray", "yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuva420p", "gray10le", "yuv420p10le", "yuv444p12le"]
QUICK = EncoderOptions(preset="ultrafast", threads=1)
CLOCKS = {"mkv": Fraction(1, 1000), "ts": Fraction(1, 90_000)}
SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "mkv": "subrip"}


@dataclass(frozen=True)
class Clip:
    """A video to be made: how it is coded, when its frames are shown, what else is in its file."""

    ending: str
    codec: str
    pix_fmt: str
    size: tuple[int, int]
    clock: Fraction
    stamps: tuple[int, ...]
    b_frames: int
    color: Color
    sample_aspect_ratio: Fraction | None
    rotation: int | None
    extras: Extras

    def make(self, folder: Path) -> Path:
        """Write the file."""
        return make_video(
            folder / f"in.{self.ending}",
            codec=self.codec,
            pix_fmt=self.pix_fmt,
            size=self.size,
            time_base=self.clock,
            pts_list=self.stamps,
            options=self._options(),
            color=self.color,
            sample_aspect_ratio=self.sample_aspect_ratio,
            rotation=self.rotation,
            extras=self.extras,
        )

    def _options(self) -> dict[str, str]:
        if self.codec == "ffv1":
            return {"slices": "1"}  # its usual ones are no good for the narrowest
        if self.codec == "libx265":  # without cutree: see encoder_settings.py
            return {"preset": "ultrafast", "x265-params": f"log-level=none:cutree=0:bframes={self.b_frames}"}
        return {"preset": "ultrafast", "bf": str(self.b_frames)}


@st.composite
def clocks_and_stamps(draw: st.DrawFn) -> tuple[Fraction, tuple[int, ...]]:
    """Draw a clock, and stamps on it: constant or variable, from below, at or past zero, one frame or many."""
    clock = draw(st.sampled_from([Fraction(1, 25), Fraction(1001, 30_000), Fraction(1, 1000), Fraction(1, 90_000)]))
    steps = st.integers(ceil(SHORTEST_FRAME_S / clock), int(LONGEST_FRAME_S / clock))
    n_frames = draw(st.integers(1, 12) | st.integers(1, 12) | st.just(40))
    is_constant = draw(st.booleans())
    gaps = [draw(steps)] * (n_frames - 1) if is_constant else [draw(steps) for _ in range(n_frames - 1)]
    start = round(draw(st.sampled_from([0, 0, -0.2, 0.48, 3])) / clock)
    return clock, tuple(accumulate(gaps, initial=start))


@st.composite
def extras(draw: st.DrawFn, ending: str) -> Extras:
    """Draw what a container of this kind may hold besides."""
    return Extras(
        audio=draw(st.sampled_from(["aac", "aac", None])),
        audio_start=draw(st.sampled_from([0, 9600, -9600])),
        n_audio_tracks=draw(st.integers(1, 2)),
        subtitles=draw(st.sampled_from([None, SUBTITLES.get(ending)])),
        chapters=draw(st.booleans()),
        attachment=draw(st.sampled_from([None, b"font" * 20])) if ending == "mkv" else None,
    )


@st.composite
def clips(draw: st.DrawFn, ending: str, codec: str, pix_fmt: str, size: tuple[int, int]) -> Clip:
    """Draw everything else of a clip."""
    clock, stamps = draw(clocks_and_stamps())
    assume(stamps[-1] >= 0)  # sound is as long as the video
    assume(codec != "libx265" or len(stamps) > 2)  # 4.2 leaves the dts of less to chance: the runtime mends them
    return Clip(
        ending=ending,
        codec=codec,
        pix_fmt=pix_fmt,
        size=size,
        clock=clock,
        stamps=stamps,
        b_frames=draw(st.integers(0, 3)),
        color=draw(st.sampled_from([Color(), BT709, PQ, BT601_FULL])),
        sample_aspect_ratio=draw(st.sampled_from([None, Fraction(4, 3), Fraction(16, 11)])),
        rotation=None if ending == "ts" else draw(st.sampled_from([None, 90, 180, -90])),
        extras=draw(extras(ending)),
    )


@st.composite
def coded_clips(draw: st.DrawFn) -> Clip:
    """Draw a clip that a usual encoder writes into a usual container, and takes again: of even sizes."""
    codec = draw(st.sampled_from(sorted(CODED)))
    sides = st.integers(16, 48).map(lambda half: 2 * half)
    chosen = draw(st.sampled_from(["mp4", "mkv", "mov", "ts"])), codec, draw(st.sampled_from(CODED[codec]))
    return draw(clips(*chosen, (draw(sides), draw(sides))))


@st.composite
def lossless_clips(draw: st.DrawFn) -> Clip:
    """Draw a clip of any size and format, as only Matroska and FFV1 keep them bit for bit."""
    size = draw(st.integers(1, 64)), draw(st.integers(1, 64))
    return draw(clips("mkv", "ffv1", draw(st.sampled_from(LOSSLESS)), size))


class Inverter:
    """Turns luma upside down, dark to bright: any plane or frame that is mixed up shows."""

    backend, precision, device = "test", "fp32", "CPU"

    def __init__(self, peak: int) -> None:
        self.peak = peak

    def enhance(self, frames: np.ndarray, qp: float | None = None, guide: np.ndarray | None = None) -> Enhanced:
        return Enhanced(inverted(frames[RADIUS], self.peak), is_finite=True)

    def reset(self) -> None:
        pass


def inverted(luma: np.ndarray, peak: int) -> np.ndarray:
    """Invert uint8 samples, or little-endian byte pairs."""
    samples = np.ascontiguousarray(luma).view("u1" if peak == 255 else "<u2")
    return (peak - samples).astype(samples.dtype).view(np.uint8)


@dataclass(frozen=True)
class Ran:
    """A clip before and after, and the planes that the encoder was given."""

    before: Look
    after: Look
    given: list[tuple[bytes, ...]]
    peak: int


def ran(clip: Clip, ending: str, options: EncoderOptions) -> Ran:
    with tempfile.TemporaryDirectory() as name:
        source, output = clip.make(Path(name)), Path(name) / f"out.{ending}"
        given, peak = enhance(source, output, options)
        return Ran(look_at(source), look_at(output), given, peak)


def enhance(source: Path, output: Path, options: EncoderOptions) -> tuple[list[tuple[bytes, ...]], int]:
    with open_source(source, threads=1) as opened, open_sink(output, opened, options) as sink:
        peak = 2**opened.info.bit_depth - 1
        with listened(sink) as given:
            Pipeline(opened, Inverter(peak), sink, RingLayout(RADIUS, 1)).run()
        sink.close()
    return given, peak


@contextlib.contextmanager
def listened(sink: Sink) -> Iterator[list[tuple[bytes, ...]]]:
    """Copy the planes of every picture on its way into the encoder."""
    given: list[tuple[bytes, ...]] = []
    write = sink.write_frame

    def listen(picture: av.VideoFrame, *others: bool) -> None:
        given.append(tuple(plane_bytes(picture)))
        write(picture, *others)

    sink.write_frame = listen  # type: ignore[method-assign]
    yield given


def on_clock_of(ending: str, time_s: Fraction) -> Fraction:
    """Round a time as FFmpeg does for a container that counts in a clock of its own."""
    if ending not in CLOCKS:
        return time_s
    packet = av.Packet(1)
    packet.pts, packet.time_base = time_s.numerator, Fraction(1, time_s.denominator)
    packet.rescale_ts(AVRational(CLOCKS[ending]))
    assert packet.pts is not None
    return packet.pts * CLOCKS[ending]


def assert_same_times(run: Ran, ending: str, sound_slack_s: Fraction = EXACT) -> None:
    """Frames and sound are when they were, or all of them later by what was below zero."""
    shift_s = run.after.times_s[0] - on_clock_of(ending, run.before.times_s[0])
    assert shift_s == 0 or (ending in CLOCKS and 0 < shift_s < MOST_BELOW_ZERO_S)
    assert run.after.times_s == [on_clock_of(ending, time_s) + shift_s for time_s in run.before.times_s]
    for after, before in zip(run.after.audio, run.before.audio, strict=True):
        due = [on_clock_of(ending, time_s) + shift_s for time_s, _ in before]
        assert all(abs(time_s - due_s) <= sound_slack_s for (time_s, _), due_s in zip(after, due, strict=True))
        assert [without_adts(data) for _, data in after] == [without_adts(data) for _, data in before]


def without_adts(data: bytes) -> bytes:
    """Take off the header of seven bytes that AAC has in front of each packet in MPEG-TS, and nowhere else."""
    return data[7:] if data[:2] == b"\xff\xf1" else data


def assert_planes_untouched(run: Ran) -> None:
    """The encoder is given the inverted luma, and chroma and alpha bit for bit."""
    assert len(run.given) == len(run.before.frames)
    for planes, frame in zip(run.given, run.before.frames, strict=True):
        assert planes[0] == inverted(np.frombuffer(frame.planes[0], np.uint8), run.peak).tobytes()
        assert planes[1:] == frame.planes[1:]


def assert_same_tags(run: Ran) -> None:
    """All that describes the picture, and all that stands beside it."""
    for name in ("tags", "languages", "chapters", "attachments"):
        assert getattr(run.after, name) == getattr(run.before, name), name


def check_coded(clip: Clip) -> None:
    run = ran(clip, clip.ending, QUICK)
    assert_same_times(run, clip.ending)
    assert_planes_untouched(run)
    assert_same_tags(run)


def check_lossless(clip: Clip) -> None:
    run = ran(clip, "mkv", EncoderOptions(encoder="ffv1", threads=1))
    assert_same_times(run, "mkv")
    assert_planes_untouched(run)
    assert_same_tags(run)
    assert [frame.planes for frame in run.after.frames] == run.given


def check_other_container(clip: Clip, ending: str) -> None:
    plain = Extras(audio=clip.extras.audio, n_audio_tracks=clip.extras.n_audio_tracks)
    run = ran(replace(clip, extras=plain), ending, QUICK)
    assert_same_times(run, ending, ONE_MS if ending == "ts" else EXACT)
    assert_planes_untouched(run)


def examples(n: int) -> settings:
    """The same ones at every run."""
    slow_to_make = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=n, deadline=None, derandomize=True, database=None, suppress_health_check=slow_to_make)


@given(clip=coded_clips())
@examples(12)
def test_a_coded_video_keeps_frames_times_sound_and_tags(clip):
    check_coded(clip)


@given(clip=lossless_clips())
@examples(15)
def test_a_lossless_video_keeps_every_bit_but_luma(clip):
    check_lossless(clip)


@given(clip=coded_clips(), ending=st.sampled_from(["mp4", "mkv", "mov", "ts"]))
@examples(10)
def test_another_container_keeps_frames_times_and_sound(clip, ending):
    check_other_container(clip, ending)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "ts"])
@pytest.mark.parametrize("n_frames", [1, 2, 3])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_the_shortest_videos_keep_everything(pix_fmt, n_frames, ending):
    stamps = tuple(range(0, 40 * n_frames, 40))
    clip = Clip("mkv", "ffv1", pix_fmt, (64, 48), Fraction(1, 1000), stamps, 0, BT709, None, None, SILENT)
    check_other_container(clip, ending)


@pytest.mark.slow
@given(clip=coded_clips())
@examples(250)
def test_many_coded_videos(clip):
    check_coded(clip)


@pytest.mark.slow
@given(clip=lossless_clips())
@examples(250)
def test_many_lossless_videos(clip):
    check_lossless(clip)


@pytest.mark.slow
@given(clip=coded_clips(), ending=st.sampled_from(["mp4", "mkv", "mov", "ts"]))
@examples(250)
def test_many_changes_of_container(clip, ending):
    check_other_container(clip, ending)


@pytest.mark.slow
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
def test_a_large_and_long_video(pix_fmt):
    """Full HD of three frames, and two hundred small ones."""
    clip = Clip("mkv", "ffv1", pix_fmt, (1920, 1080), Fraction(1, 1000), (0, 40, 80), 0, BT709, None, None, Extras())
    check_lossless(clip)
    check_lossless(replace(clip, size=(34, 18), stamps=tuple(range(0, 8000, 40))))
