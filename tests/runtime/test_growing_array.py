import zipfile

import numpy as np
import pytest

from runtime.growing_array import GrowingArray


@pytest.mark.parametrize("dtype", ["u1", "i1", "<f4"])
def test_rows_come_back_as_one_array(tmp_path, dtype):
    rows = np.arange(4 * 3 * 5).reshape(4, 3, 5).astype(dtype)
    growing = GrowingArray(tmp_path)
    for row in rows:
        growing.append(row[:, ::-1])  # in memory of its own order
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        growing.save_as("rows", archive)
    growing.close()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as content:
        np.testing.assert_array_equal(content["rows"], rows[..., ::-1])
        assert content["rows"].dtype == rows.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
