"""The command line of stream.py."""

import argparse
from pathlib import Path

from runtime.backend_list import BACKENDS
from runtime.option_values import crf, key_value, qp_or_auto, seconds, some_seconds, whole_number
from runtime.stream_config import StreamConfig

DEFAULT_LATENCY_MS = 500


def parse_args(argv: list[str] | None, description: str | None) -> tuple[StreamConfig, bool]:
    """Read the command line; unset options keep StreamConfig's defaults. The flag is --json."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="video to enhance: a file, - for standard input, or an address")
    parser.add_argument("-o", "--output", help="[SOURCE.enhanced.<same container>]")
    _add_network(parser)
    _add_encoder(parser)
    _add_way(parser)
    _add_frames(parser)
    _add_live(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    options = vars(parser.parse_args(argv))
    as_json = options.pop("json")
    for several in ("input_options", "output_options"):
        options[several] = tuple(options[several])
    return StreamConfig(**options), as_json


def _add_network(parser: argparse.ArgumentParser) -> None:
    default = StreamConfig
    parser.add_argument("--model", default=default.model, help="a shipped one, FILE.onnx or FILE.engine [%(default)s]")
    parser.add_argument("--backend", default=default.backend, help=f"auto, {', '.join(BACKENDS)} [%(default)s]")
    parser.add_argument(
        "--precision",
        default=default.precision,
        help="auto, fp32, bf16 or fp16; int8 or fp8: the network's calibrated version [%(default)s]",
    )
    parser.add_argument(
        "--qp",
        type=qp_or_auto,
        default=default.qp,
        help="QP that the input was coded at: chooses among a network's files, and is told to a network that takes one "
        "[auto: what the bitstream of H.264, HEVC or VP9 says, for the choice its first frames, then frame by frame]",
    )


def _add_encoder(parser: argparse.ArgumentParser) -> None:
    default = StreamConfig
    parser.add_argument("--encoder", default=default.encoder, help="[libx264; more than 8 bit: libx265]")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--crf", type=crf, default=default.crf, help="quality of the output, lower is better [14; SVT-AV1: 17]"
    )
    rate.add_argument(
        "--encoder-qp", type=whole_number(0, 255), default=default.encoder_qp, help="constant quantiser instead"
    )
    parser.add_argument("--preset", default=default.preset, help="the encoder's own [veryfast; SVT-AV1: 8]")


def _add_way(parser: argparse.ArgumentParser) -> None:
    """Add how the run goes about it."""
    default = StreamConfig
    parser.add_argument(
        "--threads",
        type=whole_number(0, 1024),
        default=default.threads,
        help="per stage; 0: all processors [%(default)s]",
    )
    parser.add_argument(
        "--ahead", type=whole_number(1, 64), default=default.ahead, help="frames put into the ring early [%(default)s]"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    parser.add_argument(
        "--resume", action="store_true", help="go on where a run of the same command was stopped, killed or failed"
    )
    parser.add_argument(
        "--segment",
        type=whole_number(0),
        default=default.segment,
        metavar="FRAMES",
        help="frames that are kept together for --resume; 0: keep none [%(default)s]",
    )
    parser.add_argument(
        "--memory-check",
        action=argparse.BooleanOptionalAction,
        default=default.memory_check,
        help="refuse a video that is too large for this machine's memory [yes]",
    )
    damage = parser.add_mutually_exclusive_group()
    damage.add_argument("--strict", action="store_true", help="stop with an error at the first damaged frame")
    damage.add_argument("--allow-partial", action="store_true", help="exit code 0 though the input ends early")


def _add_frames(parser: argparse.ArgumentParser) -> None:
    """Add which frames are enhanced, and what is shown of them."""
    default = StreamConfig
    parser.add_argument("--frames", type=whole_number(1), default=default.frames, help="stop after so many [all]")
    parser.add_argument("--reference", type=Path, default=default.reference, help="pristine original: prints the gain")
    parser.add_argument(
        "--scene-cuts",
        action=argparse.BooleanOptionalAction,
        default=default.scene_cuts,
        help="let no frame be enhanced by those of another scene [yes]",
    )
    parser.add_argument(
        "--split", action="store_true", help="write the left half as decoded, beside the enhanced right"
    )


def _add_live(parser: argparse.ArgumentParser) -> None:
    default = StreamConfig
    live = parser.add_argument_group("live", "from and to pipes, network addresses, playlists")
    live.add_argument("--format", default=default.format, help="FFmpeg's name of the output's format [by its address]")
    live.add_argument("--input-format", default=default.input_format, help="of the input's [found out]")
    for side, example in (("input", "rtsp_flags=listen"), ("output", "pkt_size=1316")):
        live.add_argument(
            f"--{side}-option",
            dest=f"{side}_options",
            type=key_value,
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help=f"FFmpeg's own option of the {side}, like {example}",
        )
    live.add_argument(
        "--realtime",
        dest="latency_ms",
        type=whole_number(1),
        nargs="?",
        const=DEFAULT_LATENCY_MS,
        default=default.latency_ms,
        metavar="MS",
        help=f"let no frame grow older on its way: those that would aren't enhanced; a file is read at its own pace "
        f"[{DEFAULT_LATENCY_MS}]",
    )
    for name, read, meaning in (
        ("stall", some_seconds, "call a sender again that said nothing for so long"),
        ("give-up", seconds, "try to reach it for so long"),
    ):
        live.add_argument(
            f"--{name}",
            dest=f"{name.replace('-', '_')}_s",
            type=read,
            default=getattr(default, f"{name.replace('-', '_')}_s"),
            metavar="S",
            help=f"{meaning} [%(default)g]",
        )
