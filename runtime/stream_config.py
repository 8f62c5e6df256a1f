"""What one run of the runtime is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from runtime.encoder_settings import EncoderOptions
from runtime.live_input import LiveInput
from runtime.model_file import DEFAULT_MODEL
from runtime.resume_record import SEGMENT_FRAMES


@dataclass(frozen=True)
class StreamConfig:
    """What to enhance, with what, into what.

    Attributes:
        source, output: paths; as text also `-` and addresses. None: an output named after the source, beside it.
        qp: None: what the bitstream tells, frame by frame.
        segment: frames that are kept together for a run that goes on; 0: none are kept.
        format: FFmpeg's name of what is written, where no ending tells it; input_format of what is read.
        latency_ms: how old a frame may become on its way; later ones aren't enhanced. None: as old as it takes.
        stall_s, give_up_s: when a sender that says nothing is called again, and how long.
    """

    source: Path | str
    output: Path | str | None = None
    model: str = DEFAULT_MODEL
    backend: str = "auto"
    precision: str = "auto"
    qp: int | None = None
    encoder: str | None = None
    crf: float | None = None
    encoder_qp: int | None = None
    preset: str | None = None
    threads: int = 0
    frames: int | None = None
    ahead: int = 1
    reference: Path | None = None
    overwrite: bool = False
    resume: bool = False
    segment: int = SEGMENT_FRAMES
    memory_check: bool = True
    scene_cuts: bool = True
    split: bool = False
    strict: bool = False
    allow_partial: bool = False
    input_format: str | None = None
    input_options: tuple[tuple[str, str], ...] = ()
    format: str | None = None
    output_options: tuple[tuple[str, str], ...] = ()
    latency_ms: int | None = None
    stall_s: float = LiveInput.stall_s
    give_up_s: float = LiveInput.give_up_s

    @property
    def is_realtime(self) -> bool:
        """Whether frames are to be written while they are worth it."""
        return self.latency_ms is not None

    @property
    def live_input(self) -> LiveInput:
        """How to read the source where it is no file."""
        return LiveInput(
            self.input_format,
            dict(self.input_options),
            stall_s=self.stall_s,
            give_up_s=self.give_up_s,
            is_realtime=self.is_realtime,
        )

    def encoder_options(self, is_live: bool) -> EncoderOptions:
        """Return what is asked of the encoder; `is_live`: somebody reads while it writes."""
        return EncoderOptions(
            self.encoder, self.crf, self.encoder_qp, self.preset, self.threads, is_live or self.is_realtime
        )
