"""Draw the README's picture from real frames: decoded, enhanced, original, the same crop.

$ make enhance && python benchmarks/make_pictures.py
"""

import sys
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import ROOT

FRAME = 24
LEFT, TOP, WIDTH, HEIGHT, ZOOM, GAP = 176, 40, 128, 144, 3, 6
DEMO = ROOT / "docs" / "demo"
SOURCES = (DEMO / "demo_qp37.mp4", ROOT / "out" / "demo.enhanced.mp4", DEMO / "demo_original.mkv")


def crop_of(path: Path) -> NDArray[np.uint8]:
    """Return the crop of one frame, enlarged pixel by pixel, RGB."""
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == FRAME:
                rgb = frame.to_ndarray(format="rgb24")[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]
                return rgb.repeat(ZOOM, 0).repeat(ZOOM, 1)
    raise SystemExit(f"{path} has no frame {FRAME}")


def main() -> int:
    """Write docs/demo/before_after.png."""
    crops = [crop_of(path) for path in SOURCES]
    gap = np.full((crops[0].shape[0], GAP, 3), 255, np.uint8)
    sheet = np.concatenate([crops[0], gap, crops[1], gap, crops[2]], axis=1)
    target = DEMO / "before_after.png"
    with av.open(str(target), "w", format="image2") as output:
        stream = output.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = sheet.shape[1], sheet.shape[0], "rgb24"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(sheet), format="rgb24")))
        output.mux(stream.encode(None))
    print(target.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
