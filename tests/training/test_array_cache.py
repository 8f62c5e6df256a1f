import subprocess
import sys

import numpy as np
import pytest

from cvqe.errors import InputError
from tests.media import make_video
from training.array_cache import luma_cache, qp_cache
from training.luma_clips import load_luma


def test_a_kept_clip_is_the_decoded_one_and_is_not_decoded_again(clips, tmp_path, monkeypatch):
    cache = luma_cache(tmp_path / "cache")
    first = np.array(cache.load(clips / "a.mkv"))
    monkeypatch.setattr("training.luma_clips.load_luma", lambda path: pytest.fail("decoded again"))
    np.testing.assert_array_equal(cache.load(clips / "a.mkv"), first)
    monkeypatch.undo()
    np.testing.assert_array_equal(first, load_luma(clips / "a.mkv"))
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".npy"]


def test_a_clip_that_changed_is_decoded_again(tmp_path):
    clip, cache = tmp_path / "c.mkv", luma_cache(tmp_path / "cache")
    make_video(clip, frames=2, size=(16, 16), codec="ffv1")
    cache.load(clip)
    make_video(clip, frames=3, size=(16, 16), codec="ffv1")
    assert len(cache.load(clip)) == 3


def test_what_cannot_be_read_or_kept_is_said(clips, tmp_path):
    with pytest.raises(InputError, match=r"none\.mkv can't be read"):
        luma_cache(tmp_path).load(tmp_path / "none.mkv")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another --cache"):
        luma_cache(tmp_path / "file").load(clips / "a.mkv")


def test_a_full_cache_needs_no_pyav(clips, tmp_path):
    luma_cache(tmp_path).load(clips / "a.mkv")
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from pathlib import Path\nfrom training.array_cache import luma_cache\n"
        f"assert len(luma_cache(Path({str(tmp_path)!r})).load(Path({str(clips / 'a.mkv')!r}))) == 6"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_damaged_array_is_named(clips, tmp_path):
    cache = luma_cache(tmp_path / "cache")
    cache.load(clips / "a.mkv")
    kept = next((tmp_path / "cache").iterdir())
    kept.write_bytes(kept.read_bytes()[:50])
    with pytest.raises(InputError, match="is damaged"):
        cache.load(clips / "a.mkv")


def test_quantisers_are_kept_beside_the_luma(tmp_path):
    clip = make_video(tmp_path / "c.mkv", frames=5, size=(64, 64), codec="libx264", options={"qp": "30"})
    luma, qps = luma_cache(tmp_path / "cache").load(clip), qp_cache(tmp_path / "cache").load(clip)
    assert len(luma) == len(qps) == 5
    assert qps.dtype == np.float32
    assert set(qps[1:].tolist()) <= {30.0, 33.0, 32.0}
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_where_no_quantiser_is_told_there_is_none(clips, tmp_path):
    assert np.isnan(qp_cache(tmp_path).load(clips / "a.mkv")).all()
