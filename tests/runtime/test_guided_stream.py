"""Guides end to end: real files, and networks that hand out what they were given, so that it can be told exactly."""

import json
import logging
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from cvqe.frame import Frame
from cvqe.neighbors import LOW_DELAY, PEAK_QUALITY
from cvqe.partition import CELL_PX, Partition
from runtime.decoder import open_source
from runtime.engine import EngineRequest, open_engine
from runtime.fixed_grid import fixed_grid_map
from runtime.model_file import load_model_file
from runtime.run import stream
from runtime.stream_config import StreamConfig
from runtime.summary import Summary
from tests.guided import save_guided_network
from tests.media import corrupt_packet, frames_of, make_video
from tests.networks import export_network

ROOT = Path(__file__).resolve().parents[2]
N_FRAMES = 14
SIZE = (72, 56)  # no multiple of 16, and coded as it is shown
# frames are reordered, and their units as small and as different as x265 makes them
PARAMS = "log-level=none:qp=24:bframes=3:b-adapt=0:aq-mode=0:ctu=32:tu-intra-depth=3:tu-inter-depth=3:keyint=9"
LEVELS_APART = 1  # float32 sums in another order: a luma near a half level may round to either side


def make(path: Path, codec: str = "libx265", params: str = PARAMS, **options) -> Path:
    coder = {"x265-params": params} if codec == "libx265" else {"preset": "ultrafast"}
    return make_video(path, frames=N_FRAMES, codec=codec, options=coder, **{"size": SIZE, **options})


def enhanced(source: Path, model: Path, **changes) -> tuple[Summary, list[np.ndarray]]:
    """Run a stream and return its summary and the luma that was written, without loss."""
    output = source.with_name("out.mkv")
    config = StreamConfig(source, output, str(model), encoder="ffv1", overwrite=True, precision="fp32")
    summary = stream(replace(config, **changes), lambda _: None, lambda *_: None)
    return summary, lumas_of(output)


def lumas_of(path: Path) -> list[np.ndarray]:
    with open_source(path) as source:
        return [levels_of(item.luma) for item in source.items() if isinstance(item, Frame)]


def levels_of(luma: np.ndarray) -> np.ndarray:
    return luma.copy() if luma.ndim == 2 else np.ascontiguousarray(luma).view("<u2")[..., 0]


def partitions_of(path: Path) -> list[Partition]:
    """Read every packet's partition in a loop of its own, and put them in the order of their time stamps."""
    from runtime.hevc.partition_reader import PartitionReader

    with av.open(str(path)) as container:
        video = container.streams.video[0]
        reader = PartitionReader(video.codec_context.extradata)
        read = [(packet.pts, reader.feed(bytes(packet))) for packet in container.demux(video) if packet.size]
    return [partition for _, partition in sorted(read, key=lambda each: each[0])]


def plain_guide(luma: np.ndarray, partition: Partition) -> np.ndarray:
    """Take the mean of every unit's shown part, one unit after the other."""
    left, top, width, height = partition.window
    assert luma.shape == (height, width)
    mosaic = np.full(luma.shape, np.nan)
    for row, column in np.ndindex(partition.transform.shape):
        n_cells = 2 ** int(partition.transform[row, column]) // CELL_PX
        if row % n_cells or column % n_cells:
            continue
        y, x = row * CELL_PX - top, column * CELL_PX - left
        unit = np.s_[max(y, 0) : max(y + n_cells * CELL_PX, 0), max(x, 0) : max(x + n_cells * CELL_PX, 0)]
        if luma[unit].size:
            mosaic[unit] = luma[unit].mean()
    return mosaic


def assert_guided_by(found: list[np.ndarray], guides: list[np.ndarray]) -> None:
    assert len(found) == len(guides)
    for shown, guide in zip(found, guides, strict=True):
        assert np.abs(shown - guide).max() <= 0.5 + 1e-3  # rounded to levels


@pytest.fixture(scope="module")
def guide_onnx(tmp_path_factory) -> Path:
    return save_guided_network(tmp_path_factory.mktemp("guided") / "guide.onnx")


@pytest.fixture(scope="module")
def hevc(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("hevc") / "in.mp4")


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("codec, depth", [("libx264", 8), ("ffv1", 8), ("ffv1", 10)])
def test_other_codecs_than_hevc_are_guided_by_a_fixed_grid_and_that_is_said(
    guide_onnx, tmp_path, caplog, backend, codec, depth
):
    source = make(tmp_path / "in.mkv", codec, pix_fmt="yuv420p" if depth == 8 else "yuv420p10le")
    with caplog.at_level(logging.WARNING):
        summary, found = enhanced(source, guide_onnx, backend=backend)
    assert_guided_by(found, [fixed_grid_map(luma) for luma in lumas_of(source)])
    assert summary.frames_guided == {"transform_units": 0, "fixed_grid": N_FRAMES}
    name = {"libx264": "h264"}.get(codec, codec)
    assert summary.guide == f"guide: a fixed 16x16 grid for {N_FRAMES} frames ({name} tells no transform units)"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "a fixed 16x16 grid guides it instead" in caplog.text
    assert f"  {summary.guide}\n" in str(summary)
    assert json.loads(json.dumps(summary.as_dict()))["frames_guided"]["fixed_grid"] == N_FRAMES


@pytest.mark.parametrize("shown", [0, 1, 2])
def test_low_delay_networks_see_every_other_frame_at_every_fourth(tmp_path, shown):
    model = save_guided_network(tmp_path / "shown.onnx", shows=shown, neighbors=LOW_DELAY)
    source = make(tmp_path / "in.mkv", "ffv1")
    _, found = enhanced(source, model, backend="onnxruntime")
    lumas = lumas_of(source)
    for number, luma in enumerate(found):
        distance = (shown - 1) * (2 if number % 4 == 2 else 1)
        np.testing.assert_array_equal(luma, lumas[min(max(number + distance, 0), N_FRAMES - 1)])


@pytest.mark.parametrize("shown", [0, 2])
def test_the_low_delay_pattern_starts_over_with_every_idr_picture(tmp_path, shown):
    model = save_guided_network(tmp_path / "shown.onnx", shows=shown, neighbors=LOW_DELAY)
    source = make(tmp_path / "in.mp4", params=f"{PARAMS}:open-gop=0")
    _, found = enhanced(source, model, backend="onnxruntime")
    lumas = lumas_of(source)
    for number, luma in enumerate(found):
        distance = (shown - 1) * (2 if number % 9 % 4 == 2 else 1)  # a picture of each 9 is IDR
        np.testing.assert_array_equal(luma, lumas[min(max(number + distance, 0), N_FRAMES - 1)])


@pytest.mark.parametrize(
    "shown, expected",
    [(0, [0, 0, 0, 0, 3, 3, 5, 5, 5, 8, 8, 8, 8, 12]), (2, [3, 3, 3, 5, 5, 8, 8, 8, 9, 10, 11, 12, 13, 13])],
)
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_peak_quality_networks_see_the_nearest_frames_that_the_bitstream_says_are_finer(
    tmp_path, backend, shown, expected
):
    qps = [30, 36, 36, 30, 36, 34, 36, 36, 30, 36, 36, 36, 36, 36]
    zones = "/".join(f"{number},{number},q={qp}" for number, qp in enumerate(qps, start=1))
    params = f"log-level=none:qp=30:bframes=0:ipratio=1:aq-mode=0:cutree=0:zones={zones}"
    source = make(tmp_path / "in.mkv", params=params)
    model = save_guided_network(tmp_path / "shown.onnx", shows=shown, neighbors=PEAK_QUALITY)
    _, found = enhanced(source, model, backend=backend)
    lumas = lumas_of(source)
    for luma, number in zip(found, expected, strict=True):
        np.testing.assert_array_equal(luma, lumas[number])


def test_a_run_says_how_much_of_its_time_went_into_guides(guide_onnx, tmp_path):
    summary, _ = enhanced(make(tmp_path / "in.mkv", "ffv1"), guide_onnx)
    assert set(summary.busy_s) == {"decode", "cuts", "guide", "upload", "compute", "download", "encode"}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_every_hevc_frame_is_guided_by_the_units_of_its_own_packet(guide_onnx, hevc, caplog, backend, threads):
    summary, found = enhanced(hevc, guide_onnx, backend=backend, threads=threads)
    guides = list(map(plain_guide, lumas_of(hevc), partitions_of(hevc)))
    assert_guided_by(found, guides)
    assert len({guide.tobytes() for guide in guides}) == N_FRAMES
    assert summary.guide == f"guide: transform units of {N_FRAMES} frames"
    assert summary.frames_guided == {"transform_units": N_FRAMES, "fixed_grid": 0}
    assert caplog.text == ""


@pytest.mark.parametrize("ending", ["hevc", "ts", "mkv"])
def test_containers_do_not_matter_not_even_none(guide_onnx, hevc, tmp_path, ending):
    source = make(tmp_path / f"in.{ending}")
    np.testing.assert_array_equal(lumas_of(source), lumas_of(hevc))
    _, found = enhanced(source, guide_onnx)
    assert_guided_by(found, list(map(plain_guide, lumas_of(hevc), partitions_of(hevc))))


@pytest.mark.parametrize("size, pix_fmt", [((66, 50), "yuv420p"), ((72, 56), "yuv420p10le"), ((71, 53), "yuv444p12le")])
def test_cropped_and_deep_pictures_are_guided_by_what_is_shown_of_their_units(guide_onnx, tmp_path, size, pix_fmt):
    source = make(tmp_path / "in.mkv", size=size, pix_fmt=pix_fmt)
    summary, found = enhanced(source, guide_onnx)
    assert_guided_by(found, list(map(plain_guide, lumas_of(source), partitions_of(source))))
    assert summary.frames_guided["fixed_grid"] == 0


def cropped_by(source: Path, left: int, top: int) -> Path:
    """Copy a file whose parameter sets say that its pictures begin there; 6 and 10 are cut off at the other ends."""
    crop = f"hevc_metadata=crop_left={left}:crop_top={top}:crop_right=6:crop_bottom=10"
    path = source.with_name("cropped.mp4")
    with av.open(str(source)) as whole, av.open(str(path), "w") as container:
        video = whole.streams.video[0]
        bits = BitStreamFilterContext(
            crop, in_stream=video, out_stream=(out := container.add_stream_from_template(video))
        )
        packets = [made for packet in whole.demux(video) if packet.size for made in bits.filter(packet)]
        for packet in [*packets, *bits.filter(None)]:
            packet.stream = out
            container.mux(packet)
    return path


@pytest.mark.parametrize("left, top, pix_fmt", [(2, 4, "yuv420p"), (8, 2, "yuv420p10le"), (32, 0, "yuv420p")])
def test_pictures_cropped_from_the_left_are_as_wide_as_their_stream_says(guide_onnx, tmp_path, left, top, pix_fmt):
    whole = make(tmp_path / "in.mp4", pix_fmt=pix_fmt)
    source = cropped_by(whole, left, top)
    summary, found = enhanced(source, guide_onnx)
    shown = [luma[top : SIZE[1] - 10, left : SIZE[0] - 6] for luma in lumas_of(whole)]
    for luma, expected in zip(lumas_of(source), shown, strict=True):
        np.testing.assert_array_equal(luma, expected)
    assert_guided_by(found, list(map(plain_guide, shown, partitions_of(source))))
    assert summary.frames_guided == {"transform_units": N_FRAMES, "fixed_grid": 0}


def test_the_end_that_is_decoded_again_is_cropped_the_same(tmp_path):
    source = cropped_by(make(tmp_path / "in.mp4", params=f"{PARAMS}:bframes=0:keyint={N_FRAMES - 2}"), 2, 4)
    corrupt_packet(source, N_FRAMES - 4)  # the next one needs it; the last two begin anew
    with open_source(source, threads=4, with_partitions=True) as opened:
        frames = [item for item in opened.items() if isinstance(item, Frame)]
        assert opened.n_damaged
    assert {frame.luma.shape for frame in frames} == {(SIZE[1] - 14, SIZE[0] - 8)}
    assert len(frames) == N_FRAMES - 2 and frames[-1].partition.is_whole


@pytest.mark.parametrize("number, kept, n_by_grid", [(6, 0.7, 1), (0, 0.7, 1), (6, 0.0, 0)])  # its packet, all of it
def test_damaged_pictures_fall_back_and_are_counted(guide_onnx, tmp_path, caplog, number, kept, n_by_grid):
    source = make(tmp_path / "in.mp4")
    whole = dict(zip([shown.pts for shown in frames_of(source)], partitions_of(source), strict=True))
    corrupt_packet(source, number, kept)
    with caplog.at_level(logging.WARNING):
        summary, found = enhanced(source, guide_onnx)
    with open_source(source, with_partitions=True) as opened:
        frames = [item for item in opened.items() if isinstance(item, Frame)]
        lumas = [levels_of(frame.luma) for frame in frames]
    assert summary.frames_in == summary.frames_out == len(found) == len(frames)
    is_whole = [frame.partition is not None and frame.partition.is_whole for frame in frames]
    assert summary.frames_guided == {"transform_units": sum(is_whole), "fixed_grid": len(frames) - sum(is_whole)}
    assert summary.frames_guided["fixed_grid"] >= n_by_grid
    assert len(frames) == N_FRAMES if kept else len(frames) < N_FRAMES  # without its headers it gives no picture
    is_said = "a fixed 16x16 grid guides it instead" in caplog.text
    assert is_said == ("a fixed 16x16 grid for" in summary.guide) == (not all(is_whole))
    guides = [
        plain_guide(luma, whole[frame.pts]) if known else fixed_grid_map(luma)
        for frame, luma, known in zip(frames, lumas, is_whole, strict=True)
    ]
    assert_guided_by(found, guides)


@pytest.fixture(scope="module")
def mganet_onnx(tmp_path_factory) -> Path:
    return export_network("mganet", tmp_path_factory.mktemp("mganet") / "mganet.onnx", channels=4)


@pytest.mark.parametrize("depth", [8, 10])
def test_mganet_gives_the_same_picture_on_both_backends(mganet_onnx, hevc, tmp_path, depth):
    source = hevc if depth == 8 else make(tmp_path / "in.mp4", pix_fmt="yuv420p10le")
    (summary, by_openvino), (_, by_onnxruntime) = (
        enhanced(source, mganet_onnx, backend=backend) for backend in ("openvino", "onnxruntime")
    )
    assert summary.frames_out == N_FRAMES and summary.frames_guided["transform_units"] == N_FRAMES
    for first, second in zip(by_openvino, by_onnxruntime, strict=True):
        assert np.abs(first.astype(int) - second).max() <= LEVELS_APART
    blind = make(tmp_path / "lossless.mkv", "ffv1", pix_fmt="yuv420p" if depth == 8 else "yuv420p10le")
    assert enhanced(blind, mganet_onnx, backend="onnxruntime")[0].frames_guided["fixed_grid"] == N_FRAMES


def test_mganet_heeds_its_guide(mganet_onnx, hevc):
    engine = open_engine(EngineRequest(load_model_file(mganet_onnx), *SIZE[::-1]), "onnxruntime").engine
    luma = lumas_of(hevc)[5]
    guides = fixed_grid_map(luma), plain_guide(luma, partitions_of(hevc)[5]).astype(np.float32)
    by_grid, by_units = (engine.enhance(np.stack([luma] * 3), guide=guide).luma for guide in guides)
    assert not np.array_equal(by_grid, by_units)


def test_without_numba_a_grid_guides_and_the_command_that_brings_it_is_said(guide_onnx, hevc, tmp_path):
    run = (
        "import sys; sys.modules['numba'] = None; from runtime.stream import main; raise SystemExit(main(sys.argv[1:]))"
    )
    arguments = [hevc, "-o", tmp_path / "out.mkv", "--model", guide_onnx, "--encoder", "ffv1"]
    command = [sys.executable, "-c", run, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("HEVC's transform units can't be read") == 1
    assert re.search(r"pip install .*numba$", done.stderr, re.MULTILINE)
    assert f"guide: a fixed 16x16 grid for {N_FRAMES} frames (no numba to read the bitstream with)" in done.stdout
    assert_guided_by(lumas_of(tmp_path / "out.mkv"), [fixed_grid_map(luma) for luma in lumas_of(hevc)])
