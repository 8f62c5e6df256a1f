"""Real HEVC files through decoder and parser to statistics and drawings."""

from collections import Counter

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from cvqe.errors import CvqeError, ExitCode, UsageError
from cvqe.frame import Frame
from cvqe.partition import MODES
from runtime.decoder import open_source
from runtime.partition_drawing import draw_partition, unit_lines
from runtime.partition_run import PartitionConfig, default_folder, examine
from runtime.partition_sheet import Sheet
from tests.media import corrupt_packet, frames_of
from tests.runtime.partition_cases import ALL_INTRA, CROPPED, SIZE, hevc_file

pytest.importorskip("numba")
N_FRAMES = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return hevc_file(tmp_path_factory.mktemp("partition") / "in file.mp4", n_frames=N_FRAMES)


def run(source, **options):
    return examine(PartitionConfig(source, **options), lambda n_frames, source: None)


def frames(path):
    with open_source(path, with_partitions=True) as source:
        return [item for item in source.items() if isinstance(item, Frame)]


def rgb_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_statistics_are_sums_over_the_partitions_of_all_frames(clip):
    summary = run(clip, draws=False, per_frame=True)
    partitions = [frame.partition for frame in frames(clip)]
    assert summary.exit_code == ExitCode.DONE
    assert summary.statistics.n_pictures == summary.statistics.n_whole == N_FRAMES
    width, height = SIZE
    pixels = [np.kron(part.transform, np.ones((4, 4), int))[:height, :width] for part in partitions]
    sides, counts = np.unique(np.stack(pixels), return_counts=True)
    told = summary.statistics.areas
    assert {side: area for side, area in zip(range(2, 7), told.transform, strict=True) if area} == dict(
        zip(sides, counts, strict=True)
    )
    assert told.mode.sum() == told.coding.sum() == told.qp.sum() == N_FRAMES * width * height
    skipped = sum(int((part.mode == MODES.index("skipped")).sum()) * 16 for part in partitions)
    assert told.mode[MODES.index("skipped")] == skipped
    assert len(summary.pictures) == N_FRAMES
    assert sum(picture.areas.transform for picture in summary.pictures).tolist() == told.transform.tolist()
    types = Counter(PictureType(frame.picture.pict_type).name for frame in frames(clip))
    assert summary.statistics.types == types


def test_cropped_pictures_count_only_what_is_shown(tmp_path):
    clip = hevc_file(tmp_path / "in.mkv", ALL_INTRA, 2, CROPPED)
    areas = run(clip, draws=False).statistics.areas
    assert areas.transform.sum() == 2 * CROPPED[0] * CROPPED[1]
    assert areas.qps == {37: 1.0}
    assert areas.mode.tolist() == [0, 2 * CROPPED[0] * CROPPED[1], 0]


@pytest.mark.parametrize("name, pix_fmt", [("in.hevc", "yuv420p"), ("in.ts", "yuv420p10le")])
def test_raw_streams_and_ten_bits_are_read_too(tmp_path, name, pix_fmt):
    summary = run(hevc_file(tmp_path / name, n_frames=3, pix_fmt=pix_fmt), draws=False)
    assert (summary.statistics.n_whole, summary.bit_depth) == (3, 8 if pix_fmt == "yuv420p" else 10)


def test_pictures_of_chosen_frames_show_lines_where_the_partition_says(clip, tmp_path):
    summary = run(clip, output=tmp_path / "out", frame=(4, 1), sheet=Sheet(scale=2))
    assert summary.written == [str(tmp_path / "out" / f"frame_00000{number}.png") for number in (1, 4)]
    for number in (1, 4):
        frame = frames(clip)[number]
        (drawn,) = rgb_of(tmp_path / "out" / f"frame_00000{number}.png")
        plain = frame.picture.reformat(format="rgb24", threads=1).to_ndarray()
        np.testing.assert_array_equal(drawn[: 2 * SIZE[1]], draw_partition(plain, frame.partition, 2))
        is_line = unit_lines(frame.partition.coding, frame.partition.window, 2)
        assert (drawn[: 2 * SIZE[1]][is_line].max(1) > 200).all()


def test_a_video_shows_every_frame_at_its_time(clip, tmp_path):
    summary = run(clip, output=tmp_path / "out.mp4", sheet=Sheet(scale=2))
    assert summary.written == [str(tmp_path / "out.mp4")]
    assert [frame.time_s for frame in frames_of(tmp_path / "out.mp4")] == [frame.time_s for frame in frames_of(clip)]
    for drawn, frame in zip(rgb_of(tmp_path / "out.mp4"), frames(clip), strict=True):
        lines = unit_lines(frame.partition.coding, frame.partition.window, 2)
        luma = drawn[: 2 * SIZE[1]].astype(int).mean(2)
        assert luma[lines].mean() > luma[~lines].mean() + 40
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_without_more_words_the_first_frames_are_drawn_beside_the_clip(tmp_path):
    clip = hevc_file(tmp_path / "in.mkv", ALL_INTRA, 3, (64, 64))
    assert run(clip).exit_code == ExitCode.DONE
    assert [path.name for path in default_folder(clip).iterdir()] == ["frame_000000.png"]
    with pytest.raises(UsageError, match="--overwrite"):
        run(clip)
    assert run(clip, overwrite=True).written


def test_one_frame_can_go_into_a_file_of_its_own(clip, tmp_path):
    run(clip, output=tmp_path / "one.png", frame=(2,))
    assert len(rgb_of(tmp_path / "one.png")) == 1
    with pytest.raises(UsageError, match="holds one frame"):
        run(clip, output=tmp_path / "two.png", frame=(2, 3))


def test_a_frame_beyond_the_end_is_said(clip, tmp_path):
    summary = run(clip, output=tmp_path / "out", frame=(0, 99))
    assert summary.exit_code == ExitCode.PARTIAL
    assert f"not drawn: frame 99; the first is 0 and {N_FRAMES} were read" in str(summary)


def test_frames_limits_the_run(clip):
    assert run(clip, draws=False, frames=2).statistics.n_pictures == 2


def test_a_picture_that_does_not_decode_is_said(tmp_path):
    clip = hevc_file(tmp_path / "in.mp4", ALL_INTRA, 4, (64, 64))
    corrupt_packet(clip, 2)
    summary = run(clip, output=tmp_path / "out.mkv")
    assert summary.exit_code == ExitCode.PARTIAL
    assert summary.statistics.n_whole == 3
    assert "1 packets or pictures are damaged" in str(summary)


def test_a_partition_that_was_not_read_to_its_end_is_drawn_but_not_counted_and_said(tmp_path):
    clip = hevc_file(tmp_path / "in.hevc", ALL_INTRA, 3)
    clip.write_bytes(clip.read_bytes()[:-200])
    summary = run(clip, output=tmp_path / "out", frame=(2,))
    assert summary.exit_code == ExitCode.PARTIAL
    assert (summary.statistics.n_pictures, summary.statistics.n_whole) == (3, 2)
    assert "not read    1: " in str(summary) and "(frame 2)" in str(summary)
    assert len(summary.written) == 1


@pytest.mark.parametrize(
    "options, words",
    [
        ({"output": "out.avi"}, "expected a folder, .png, or a video"),
        ({"output": "out.mp4", "frame": (1,)}, "shows every frame"),
        ({"sheet": Sheet(crop=(190, 0, 20, 20))}, "which is 200x120"),
    ],
)
def test_what_makes_no_sense_is_refused(clip, tmp_path, options, words):
    if "output" in options:
        options = {**options, "output": tmp_path / options["output"]}
    with pytest.raises(UsageError, match=words):
        run(clip, **options)


def test_a_drawing_that_fails_leaves_nothing(clip, tmp_path, monkeypatch):
    def draw(self, frame):
        if frame.number == 2:
            raise CvqeError("no more")
        return original(self, frame)

    original = Sheet.draw
    monkeypatch.setattr(Sheet, "draw", draw)
    with pytest.raises(CvqeError, match="no more"):
        run(clip, output=tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
