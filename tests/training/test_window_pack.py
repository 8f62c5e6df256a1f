import numpy as np
import pytest

from cvqe.errors import InputError
from tests.training.test_patches import data, guided_pair, numbered, pair
from training.guides import Guides
from training.patches import PatchSource
from training.window_pack import PackedWindows, save_windows


@pytest.fixture
def pack(tmp_path):
    source = PatchSource([pair(qp=22), pair(qp=37)], 3, data(24), seed=0)
    return save_windows(source, 10, tmp_path / "p.npz", data(24))


def test_packed_windows_are_batches(pack):
    batch = PackedWindows([pack, pack], 3, data(16), seed=0).batch(3, 0, 5)
    assert batch.window.shape == (5, 7, 16, 16)
    assert batch.window.dtype == np.uint8
    np.testing.assert_array_equal(batch.window, batch.pristine + 1)
    assert set(batch.qp.tolist()) <= {22.0, 37.0}


def test_a_step_draws_the_same_from_packs_too(pack):
    one, other = (PackedWindows([pack], 3, data(16), seed=0) for _ in range(2))
    np.testing.assert_array_equal(one.batch(9, 1, 4).window, other.batch(9, 1, 4).window)
    assert not np.array_equal(one.batch(9, 1, 4).window, one.batch(9, 0, 4).window)


def test_packs_that_do_not_fit_are_refused(pack, tmp_path):
    with pytest.raises(InputError, match="windows of 7 frames at 24 px"):
        PackedWindows([pack], 2, data(16), seed=0)
    with pytest.raises(InputError, match="needs some of 7 frames, 32 px"):
        PackedWindows([pack], 3, data(32), seed=0)
    other = save_windows(PatchSource([pair()], 3, data(20), seed=0), 2, tmp_path / "q.npz", data(24))
    with pytest.raises(InputError, match=r"\[20, 24\] px"):
        PackedWindows([pack, other], 3, data(16), seed=0)


def test_a_file_that_is_no_pack_is_named(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"x\.npz is no pack"):
        PackedWindows([tmp_path / "x.npz"], 3, data(16), seed=0)


def test_a_cut_pack_is_named(pack):
    pack.write_bytes(pack.read_bytes()[:200])
    with pytest.raises(InputError, match=r"p\.npz is no pack"):
        PackedWindows([pack], 3, data(16), seed=0)


def test_packs_of_other_qps_than_the_recipes_are_refused(pack):
    with pytest.raises(InputError, match=r"QP \[22, 37\], the recipe learns from \[37\]"):
        PackedWindows([pack], 3, data(16, qp=(37,)), seed=0)
    PackedWindows([pack], 3, data(16, qp=(22, 27, 37)), seed=0)


def test_guided_maps_are_packed_within_a_sixteenth_of_a_level(tmp_path):
    source = PatchSource([guided_pair()], 1, data(24), seed=0, guides=Guides())
    pack = save_windows(source, 8, tmp_path / "guided.npz", data(24))
    batch = PackedWindows([pack], 1, data(16), seed=0, is_guided=True).batch(0, 0, 12)
    assert batch.guide.dtype == np.float32
    np.testing.assert_allclose(batch.guide[:, 0], batch.window[:, 1], atol=1 / 16)
    assert PackedWindows([pack], 1, data(16), seed=0).batch(0, 0, 2).guide is None


def test_a_pack_without_guided_maps_is_refused_by_a_network_that_takes_them(tmp_path):
    pack = save_windows(PatchSource([pair()], 1, data(24), seed=0), 2, tmp_path / "plain.npz", data(24))
    with pytest.raises(InputError, match="guide"):
        PackedWindows([pack], 1, data(16), seed=0, is_guided=True)


def test_packs_of_other_neighbors_than_the_recipes_are_refused(tmp_path):
    source = PatchSource([pair()], 1, data(24, neighbors="low-delay"), seed=0)
    pack = save_windows(source, 2, tmp_path / "low_delay.npz", data(24, neighbors="low-delay"))
    with pytest.raises(InputError, match="low-delay neighbors; the recipe's are adjacent"):
        PackedWindows([pack], 1, data(16), seed=0)
    PackedWindows([pack], 1, data(16, neighbors="low-delay"), seed=0)


def test_other_guided_maps_are_other_data(tmp_path):
    sources = [PatchSource([guided_pair()], 1, data(24), seed=0, guides=Guides(share)) for share in (0.0, 1.0)]
    packs = [save_windows(source, 4, tmp_path / f"{i}.npz", data(24)) for i, source in enumerate(sources)]
    facts = {PackedWindows([pack], 1, data(16), seed=0, is_guided=True).facts() for pack in packs}
    assert len(facts) == 2


def test_windows_of_some_targets_are_packed_with_an_error_for_each(tmp_path):
    clip = numbered(12)
    object.__setattr__(clip, "decoded", clip.pristine + (3 * clip.pristine % 5 + 2))
    asked = data(16, consecutive=4)
    pack = save_windows(PatchSource([clip], 3, asked, seed=0), 6, tmp_path / "p.npz", asked)
    batch = PackedWindows([pack], 3, asked, seed=0).batch(0, 0, 8)
    assert batch.window.shape == (2, 10, 16, 16)
    errors = [clip.frame_mse[number] for window in batch.pristine for number in window[3:7, 0, 0]]
    np.testing.assert_array_equal(batch.frame_mse, errors)
    with pytest.raises(InputError, match="windows of 10 frames"):
        PackedWindows([pack], 3, data(16), seed=0)
