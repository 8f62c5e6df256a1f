"""Export a trained network to one standard ONNX file, verified against torch.

$ python export/to_onnx.py
$ python export/to_onnx.py --checkpoint tgafnet_qp37.pt --model tgafnet --qp 37 --output tgafnet_qp37.onnx

Without arguments the default network is exported from its shipped weights. The file takes and returns integer luma
at any size. A checkpoint is ours, or an official state dict of TGAFNet, MGANet, STDF, RFDA or CF-STIF. A network that
takes a guide has another input, "guide", float32 [1, 1, H, W]: the mean of the decoded luma in each transform unit of
the target, in levels of the video's own depth, not rounded. A recurrent one has an input "hidden" and an output
"hidden_next", float32 [1, C, H, W] both: zeros where a scene begins, then what it gave with the frame before.

--deform-conv: "standard" is one file for every backend, TensorRT with our plugin among them. "custom" writes the op
CvqeDeformConv of domain cvqe, for parsers that can't let a plugin take over a standard op (TensorRT 10.0 to 10.14).
"gather" writes it as plain ops around GatherElements, for what has neither, and needs more memory.
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run by path: import from the repo root, never from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from cvqe.errors import CvqeError
from cvqe.manifest import DEFORM_CONVS
from cvqe.neighbors import NEIGHBORS
from export.exporter import ExportConfig, export


def parse_args(argv: list[str] | None = None) -> ExportConfig:
    """Read the command line; unset options keep ExportConfig's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ExportConfig
    parser.add_argument(
        "--checkpoint", type=Path, default=default.checkpoint, help=".pt, .safetensors or .onnx [shipped]"
    )
    parser.add_argument("--model", default=default.model, help="network the checkpoint is of [as the file says]")
    parser.add_argument("--output", type=Path, default=default.output, help="file to write [MODEL_PRECISION.onnx]")
    parser.add_argument("--precision", choices=("fp32", "fp16"), default=default.precision, help="[%(default)s]")
    parser.add_argument(
        "--bit-depth",
        type=int,
        choices=(8, 16),
        default=default.bit_depth,
        help="bits a sample is stored in: 16 for video of 9 bits and more, as byte pairs [%(default)s]",
    )
    parser.add_argument(
        "--qp", type=int, nargs="+", default=default.qp, help="QPs it was trained for [as the file says]"
    )
    parser.add_argument(
        "--neighbors",
        choices=NEIGHBORS,
        default=default.neighbors,
        help="frames that it was trained to see; low-delay: t-2 and t+2 at every 4th frame; peak-quality: the nearest "
        "ones that were coded more finely than those around them [as the file says]",
    )
    parser.add_argument(
        "--deform-conv", choices=DEFORM_CONVS, default=default.deform_conv, help="how it is written [%(default)s]"
    )
    parser.add_argument("--round-weights", action="store_true", help="round the weights to float16: half the file")
    return ExportConfig(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    """Export one file; our own errors become one message."""
    try:
        print(export(parse_args(argv)))
    except CvqeError as error:
        print(f"to_onnx: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
