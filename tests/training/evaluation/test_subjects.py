"""Every kind of subject gives a frame for each decoded one, and says what it is."""

import numpy as np
import pytest
import torch

from cvqe.errors import BackendError, InputError, ModelError, UsageError
from runtime.engine import Enhanced
from runtime.fixed_grid import fixed_grid_map
from runtime.hevc.guided_map import guided_map
from tests.media import make_video
from tests.networks import made_up_network, save_checkpoint
from tests.recurrent import save_counting_network
from tests.training.evaluation.examples import brightening_model, clean_planes, darker, write_luma
from training.evaluation.cases import Case
from training.evaluation.enhanced_video import EnhancedVideo
from training.evaluation.ffmpeg_filter import STRENGTHS, ffmpeg_filter
from training.evaluation.luma_clip import open_luma
from training.evaluation.network_windows import Wanted, enhance_windows
from training.evaluation.onnx_network import onnx_network
from training.evaluation.subject import Decoded
from training.evaluation.subject_list import Running, list_subjects
from training.evaluation.torch_network import torch_network
from training.partition_cache import whole_partitions

PLANES = clean_planes(n_frames=7, height=24, width=40)


@pytest.fixture
def case(tmp_path) -> Case:
    path = write_luma(tmp_path / "ldp_qp37" / "a.mkv", PLANES)
    return Case("a", "ldp", 37, path, path)


def frames_of(subject, case, first_frames=None):
    with open_luma(case.coded, first_frames) as decoded:
        return [(timed.luma.copy(), timed.ms) for timed in subject.enhance(case, decoded)]


def test_the_decoded_video_is_itself_and_took_no_time(case):
    frames = frames_of(Decoded(), case, 3)
    assert [ms for _, ms in frames] == [None] * 3
    np.testing.assert_array_equal([luma for luma, _ in frames], PLANES[:3])


@pytest.mark.parametrize("name", STRENGTHS)
def test_a_filter_gives_every_frame_once_and_in_order(case, name):
    frames = frames_of(ffmpeg_filter(name, 1), case)
    assert len(frames) == len(PLANES)
    for (luma, ms), plane in zip(frames, PLANES, strict=True):
        assert luma.shape == plane.shape
        assert ms > 0
        # a random picture: any other frame is 50 levels away
        assert np.abs(luma.astype(int) - plane).mean() < 10


def test_a_filters_options_may_be_given(case):
    frames = frames_of(ffmpeg_filter("lutyuv=y=val+5", 1), case)
    np.testing.assert_array_equal([luma for luma, _ in frames], np.add(PLANES, 5))
    assert ffmpeg_filter("nlmeans=s=3", 1).facts(case).settings == "s=3"
    with pytest.raises(UsageError, match="no peer 'hqdn3d'; choose among deblock"):
        ffmpeg_filter("hqdn3d", 1)
    for spelling in ("nlmeans=s=no", "nosuchfilter=x=1"):
        with pytest.raises(BackendError, match="FFmpeg does not take the filter"):
            frames_of(ffmpeg_filter(spelling, 1), case)


def test_a_filter_refuses_deep_clips(tmp_path):
    path = write_luma(tmp_path / "deep.mkv", [plane.astype(np.uint16) * 4 for plane in PLANES], "gray10le")
    with pytest.raises(InputError, match="10 bit a sample"):
        frames_of(ffmpeg_filter("deblock", 1), Case("deep", "ldp", 37, path, path))


def test_an_enhanced_folder_is_laid_out_like_the_coded_one(case, tmp_path):
    write_luma(tmp_path / "better" / "ldp_qp37" / "a.mkv", darker(PLANES, range(7)))
    video = EnhancedVideo("better", tmp_path / "better")
    np.testing.assert_array_equal([luma for luma, _ in frames_of(video, case)], darker(PLANES, range(7)))
    with pytest.raises(InputError, match=r"nowhere/ldp_qp37/a\.mkv is no file; --pair must name"):
        EnhancedVideo("x", tmp_path / "nowhere").facts(case)


def test_an_enhanced_video_of_another_size_is_refused(case, tmp_path):
    path = write_luma(tmp_path / "small.mkv", clean_planes(7, 16, 16))
    single = Case("a", "file", None, case.pristine, case.coded)
    with pytest.raises(InputError, match=r"small\.mkv is 16x16 at 8 bit.*40x24"):
        frames_of(EnhancedVideo("small", path), single)


def test_an_exported_network_runs_in_the_backend_that_auto_found(case, tmp_path):
    model = brightening_model(tmp_path / "net.onnx", 3)
    network, reason = onnx_network("net", str(model), "onnxruntime", "auto", 1)
    assert (network.name, reason) == ("net onnxruntime fp32", "asked for")
    frames = frames_of(network, case)
    np.testing.assert_array_equal([luma for luma, _ in frames], np.add(PLANES, 3))
    assert all(ms > 0 for _, ms in frames)
    before = network.facts(case)
    brightening_model(model, 4)
    assert network.facts(case) != before


def test_a_recurrent_file_begins_anew_with_every_clip(case, tmp_path):
    network, _ = onnx_network("net", str(save_counting_network(tmp_path / "net.onnx")), "onnxruntime", "auto", 1)
    for _ in range(2):
        assert [luma.max() for luma, _ in frames_of(network, case)] == [1, 2, 3, 4, 5, 6, 7]


def test_a_recurrent_checkpoint_goes_on_from_frame_to_frame(case, tmp_path):
    options = {"fused": 8, "fusion": 8, "channels": 16, "hidden": 1}
    network = made_up_network("rfda", **options)
    subject = torch_network("net", save_checkpoint(network, "rfda", tmp_path / "net.pt", **options), "fp32", "cpu", 1)
    for _ in range(2):
        hidden = torch.zeros(1, 8, 24, 40)
        for number, (luma, _) in enumerate(frames_of(subject, case, 4)):
            planes = np.stack([PLANES[min(max(number + d, 0), 3)] for d in range(-3, 4)]).astype(np.float32)
            with torch.no_grad():
                expected, hidden = network(torch.from_numpy(planes)[None] / 255, hidden)
            assert np.abs(luma - (255 * expected[0, 0]).clamp(0, 255).numpy()).max() < 0.501  # of rounding a half


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_checkpoint_rounds_and_clamps_as_an_exported_graph_does(case, tmp_path, suffix):
    network = made_up_network("tgafnet", blocks=1)
    path = save_checkpoint(network, "tgafnet", tmp_path / "net.pt", blocks=1)
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        path = tmp_path / "net.safetensors"
        save_file(network.state_dict(), path)
    subject = torch_network("net", path, "auto", "cpu", 1)
    assert subject.name == "net torch-cpu fp32"
    frames = frames_of(subject, case, 2)
    window = torch.from_numpy(np.stack([PLANES[t] for t in (0, 0, 0, 0, 1, 1, 1)]).astype(np.float32))[None] / 255
    with torch.no_grad():
        expected = (network(window)[0, 0] * 255).round().clamp(0, 255)
    differences = frames[0][0].astype(int) - expected.numpy()
    assert len(frames) == 2
    assert np.abs(differences).max() <= 1  # a value on the edge of two levels
    assert (differences != 0).mean() < 1e-3


def test_files_that_are_no_checkpoint_of_ours_are_refused(tmp_path):
    path = tmp_path / "net.pt"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="no checkpoint of plain tensors"):
        torch_network("x", path, "auto", "cpu", 1)
    torch.save({"network": "tgafnet", "state_dict": {"weight": torch.zeros(1)}}, path)
    with pytest.raises(ModelError, match="do not fit tgafnet"):
        torch_network("x", path, "auto", "cpu", 1)
    with pytest.raises(InputError, match=r"is no file; name a checkpoint"):
        torch_network("x", tmp_path / "none.pt", "auto", "cpu", 1)
    with pytest.raises(UsageError, match="not in int8"):
        torch_network("x", path, "int8", "cpu", 1)


def test_a_network_that_breaks_down_is_not_measured(case):
    class Broken:
        luma = PLANES[0]
        is_finite = False

    with (
        open_luma(case.coded) as decoded,
        pytest.raises(ModelError, match=r"NaN or infinite pixels at frame 0 of .*a\.mkv"),
    ):
        next(enhance_windows(lambda window, qp, guide: Broken(), case, decoded, Wanted("a", 1)))


def test_subjects_are_listed_by_what_they_are_called(tmp_path):
    model = brightening_model(tmp_path / "net=1.onnx", 3)
    running = Running("onnxruntime", "auto", "cpu", 1)
    subjects, notes = list_subjects([str(model), f"other={model}"], ["better=x"], ["nlmeans", "nlmeans=s=3"], running)
    names = [subject.name for subject in subjects]
    assert names == ["decoded", "net=1 onnxruntime fp32", "other onnxruntime fp32", "better", "nlmeans", "nlmeans=s=3"]
    assert notes == [f"{name}: asked for" for name in names[1:3]]


def test_subjects_of_one_name_and_no_subjects_are_refused():
    with pytest.raises(UsageError, match=r"two subjects are called 'x'.*LABEL=FILE"):
        list_subjects([], ["a/x.mkv", "b/x.mp4"], [], Running())
    with pytest.raises(UsageError, match="nothing to evaluate"):
        list_subjects([], [], [], Running())


@pytest.mark.parametrize("codec, qp, expected", [("ffv1", 37, 37), ("ffv1", None, None), ("libx264", 37, 30)])
def test_a_network_is_told_the_frames_own_qp_else_the_folders(tmp_path, codec, qp, expected):
    options = {"x264-params": "qp=30:ipratio=1"} if codec == "libx264" else {}
    path = make_video(tmp_path / "a.mkv", frames=1, codec=codec, options=options)
    told = []

    def network(window, qp, guide):
        told.append(qp)
        return Enhanced(window[1], True)

    with open_luma(path) as decoded:
        assert len(list(enhance_windows(network, Case("a", "ldp", qp, path, path), decoded, Wanted("a", 1)))) == 1
    assert told == [pytest.approx(expected) if expected else None]


def test_a_checkpoint_is_told_a_qp_within_those_it_was_trained_on(tmp_path):
    network = made_up_network("live", channels=8, blocks=1, motion=8)
    path = save_checkpoint(network, "live", tmp_path / "net.pt", channels=8, blocks=1, motion=8)  # QP 32 to 37
    coded = write_luma(tmp_path / "a.mkv", PLANES)
    subject = torch_network("net", path, "auto", "cpu", 1)
    by_qp = [frames_of(subject, Case("a", "ldp", qp, coded, coded), 1)[0][0] for qp in (32, 22, 37, 51)]
    np.testing.assert_array_equal(by_qp[0], by_qp[1])
    np.testing.assert_array_equal(by_qp[2], by_qp[3])
    assert (by_qp[0] != by_qp[2]).any()


def test_a_guided_network_is_given_each_frames_units_or_the_grid(coded):
    """The clip is HEVC: true units differ from squares, and their mosaics from frame to frame."""
    path, seen = coded / "ldp_qp37" / "a.mkv", {}
    for guide in ("units", "grid"):
        with open_luma(path, with_partitions=guide == "units") as decoded:
            maps = seen[guide] = []

            def network(window, qp, guide, maps=maps):
                maps.append(guide)
                return Enhanced(window[1], True)

            wanted = Wanted("a", 1, guide=guide)
            lumas = [
                timed.luma for timed in enhance_windows(network, Case("a", "ldp", 37, path, path), decoded, wanted)
            ]
    partitions = list(whole_partitions(path))
    for number, luma in enumerate(lumas):
        np.testing.assert_array_equal(seen["units"][number], guided_map(luma, partitions[number]))
        np.testing.assert_array_equal(seen["grid"][number], fixed_grid_map(luma))
    assert any(not np.array_equal(units, grid) for units, grid in zip(*seen.values(), strict=True))


@pytest.mark.parametrize("guide, needs, settings", [("units", True, ""), ("grid", False, "guided by a fixed grid")])
def test_a_checkpoint_says_what_guides_it(case, tmp_path, guide, needs, settings):
    options = {"channels": 4, "residual": True}
    path = save_checkpoint(made_up_network("mganet", **options), "mganet", tmp_path / "m.pt", **options)
    subject = torch_network("m", path, "fp32", "cpu", 1, guide)
    assert subject.needs_partitions(case) is needs
    assert subject.facts(case).settings == settings
    assert len(frames_of(subject, case)) == len(PLANES)
