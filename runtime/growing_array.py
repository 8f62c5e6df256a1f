"""One array of a file of NumPy's, its rows taken one by one: they wait on the disk until their number is known.

append(row), append(row), ...  -->  a file without a name  -->  save_as: name.npy in a .npz
"""

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class GrowingArray:
    """Rows of one shape and one type; memory for none of them. To be closed."""

    def __init__(self, folder: Path) -> None:
        """Start without rows; they take as many bytes as in memory, in this folder.

        Raises:
            OSError: the folder can't be written to.
        """
        self._rows = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # it has no name: also a killed run leaves none
        self._n_rows = 0
        self._shape: tuple[int, ...] = ()
        self._type: np.dtype[Any] = np.dtype(np.uint8)

    def append(self, row: NDArray[np.generic]) -> None:
        """Add one more, of the shape and the type of the first."""
        if not self._n_rows:
            self._shape, self._type = row.shape, row.dtype
        assert (row.shape, row.dtype) == (self._shape, self._type)
        self._rows.write(row.tobytes())
        self._n_rows += 1

    def save_as(self, name: str, archive: zipfile.ZipFile) -> None:
        """Write [rows, *shape] as an array of a .npz."""
        descr = np.lib.format.dtype_to_descr(self._type)
        header = {"descr": descr, "fortran_order": False, "shape": (self._n_rows, *self._shape)}
        self._rows.seek(0)
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            shutil.copyfileobj(self._rows, member)

    def close(self) -> None:
        """Give the disk back."""
        self._rows.close()
