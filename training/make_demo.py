"""Make the bundled demonstration clip: a lossless original, and its HEVC version at QP 37.

$ python training/make_demo.py ../shared/clips/sample/elephantsdream_512x288.mkv --output docs/demo
"""

import argparse
import sys
from fractions import Fraction
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import av

from training.coder import decode_pictures, encode_hevc, frame_rate

QP = 37
LOSSLESS: dict[str, object] = {"preset": "veryslow", "qp": "0"}


def write_original(source: Path, target: Path, rate: Fraction) -> None:
    """Store the clip without loss, as small as x264 can."""
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.options = LOSSLESS
        for number, picture in enumerate(decode_pictures(source)):
            if number == 0:
                stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, picture.format.name
            picture.pts, picture.time_base, picture.pict_type = number, 1 / rate, 0
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def main(argv: list[str] | None = None) -> int:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="pristine clip")
    parser.add_argument("--output", type=Path, required=True, help="folder for both files")
    options = parser.parse_args(argv)
    rate = frame_rate(options.source)
    coded = encode_hevc(decode_pictures(options.source), rate, "ldp", QP, container="mp4")
    (options.output / f"demo_qp{QP}.mp4").write_bytes(coded)
    write_original(options.source, options.output / "demo_original.mkv", rate)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
