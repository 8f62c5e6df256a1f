"""Windows cut beforehand into one .npz: a training that needs neither clips nor PyAV, on any machine.

window [N, 2R+C, S, S] uint8   pristine [N, 2R+C, S, S] uint8   frame_mse [N * C] float32   qp [N] float32
with C targets one after another, mostly 1
guide [N, 1, S, S] float16, in levels, for networks that take a guided map
neighbors text: which frames make a window, where they are not adjacent
"""

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvqe.errors import InputError
from cvqe.neighbors import ADJACENT
from training.batches import Batch, Source
from training.patches import Plane, View
from training.recipe import DataRecipe

PARTS = ("window", "pristine", "frame_mse", "qp")
GUIDE = "guide"


def save_windows(source: Source, n_windows: int, path: Path, data: DataRecipe) -> Path:
    """Draw windows as a training would, and write them under the final name once they are whole."""
    batch = source.batch(0, 0, n_windows * data.consecutive)
    unfinished = path.with_suffix(".tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished.open("wb") as file:
        parts = {part: getattr(batch, part) for part in PARTS}
        if data.neighbors != ADJACENT:
            parts["neighbors"] = np.array(data.neighbors)
        if batch.guide is not None:
            parts[GUIDE] = batch.guide.astype(np.float16)  # within a sixteenth of a level
        np.savez_compressed(file, **parts)
    return unfinished.replace(path)


class PackedWindows:
    """Batches from packs; a patch is cut and turned anew each time when the packs' windows are larger."""

    def __init__(
        self,
        packs: Sequence[Path],
        radius: int,
        data: DataRecipe,
        seed: int,
        is_guided: bool = False,
    ) -> None:
        """Read the packs into memory, with their guided maps if a network takes them.

        Raises:
            InputError: a pack can't be read, its windows have another radius, other neighbors or targets or are
                smaller than a patch, or were coded at a QP that the recipe does not learn from.
        """
        names = (*PARTS, GUIDE) if is_guided else PARTS
        contents = [_read(pack, 2 * radius + data.consecutive, data, names) for pack in packs]
        sizes = {content.window.shape[-1] for content in contents}
        if len(sizes) > 1:
            raise InputError(f"the packs hold windows of {sorted(sizes)} px; use packs of one size at a time.")
        found = {int(qp) for content in contents for qp in content.qp}
        if not found <= set(data.qp):
            raise InputError(f"the packs hold windows of QP {sorted(found)}, the recipe learns from {sorted(data.qp)}.")
        parts = {part: np.concatenate([getattr(content, part) for content in contents]) for part in names}
        self.windows, self.data, self.seed = Batch(**parts), data, seed

    def facts(self) -> str:
        """Return a digest of the windows, and of their guided maps where there are some."""
        guide = self.windows.guide
        parts: list[NDArray[Any]] = [self.windows.window, *([] if guide is None else [guide])]
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

    def batch(self, step: int, rank: int, size: int) -> Batch:
        """Draw a step's batch; it depends on (seed, rank, step) alone."""
        random = np.random.default_rng((self.seed, rank, step))
        patch_px, n_targets = self.data.patch_px, self.data.consecutive
        chosen = random.integers(len(self.windows.qp), size=size // n_targets)
        room = self.windows.window.shape[-1] - patch_px
        views = [View.draw(random, room, room) for _ in chosen]

        def cut(clips: NDArray[Plane]) -> NDArray[Plane]:
            return np.stack([view.of(clips[n], patch_px) for n, view in zip(chosen, views, strict=True)])

        kept = self.windows
        frame_mse = kept.frame_mse.reshape(-1, n_targets)[chosen].ravel()
        guide = None if kept.guide is None else cut(kept.guide).astype(np.float32)
        return Batch(cut(kept.window), cut(kept.pristine), frame_mse, kept.qp[chosen], guide)


def _read(pack: Path, n_frames: int, data: DataRecipe, names: Sequence[str]) -> Batch:
    try:
        with np.load(pack) as content:
            batch = Batch(**{part: content[part] for part in names})
            of_pack = str(content["neighbors"]) if "neighbors" in content else ADJACENT
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{pack} is no pack of windows ({error}). Make one:  python training/pack.py --help"
        ) from error
    if of_pack != data.neighbors:
        raise InputError(
            f"{pack} holds windows of {of_pack} neighbors; the recipe's are {data.neighbors} (data.neighbors)."
        )
    frames, size = batch.window.shape[1], batch.window.shape[-1]
    if frames != n_frames or size < data.patch_px or not len(batch.qp):
        raise InputError(
            f"{pack} holds {len(batch.qp)} windows of {frames} frames at {size} px; "
            f"the recipe needs some of {n_frames} frames, {data.patch_px} px or more."
        )
    return batch
