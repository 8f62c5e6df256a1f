"""What one run did: as text for a person, as a dict for a program, as an exit code for the shell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cvqe.errors import ExitCode
from runtime.meter import Gains


@dataclass
class Summary:
    """Counts, times and gains of one run."""

    source: str
    output: str | None
    encoder: str
    model: str
    backend: str
    precision: str
    reason: str
    frames_in: int = 0
    frames_out: int = 0
    frames_resumed: int = 0  # of frames_out, those that an earlier run had enhanced
    frames_damaged: int = 0
    frames_fallen_back: int = 0
    frames_skipped: int = 0  # not enhanced, to keep up
    leading_lost: int = 0  # packets before the first frame, of pictures that nothing can decode
    reconnects: int = 0
    streams_left_out: list[int] = field(default_factory=list)  # the source's, by index
    latency: Mapping[str, int] | None = None  # of a live run: ages of frames when they were written
    timestamps_repaired: int = 0
    scene_cuts: int = 0
    qp: str | None = None  # what the network was told of the input's quantiser; None: it takes none
    guide: str | None = None  # what guided it; None: it takes no guide
    frames_guided: Mapping[str, int] | None = None  # how many were by what
    elapsed_s: float = 0.0
    busy_s: Mapping[str, float] = field(default_factory=dict)
    peak_memory_mb: float | None = None
    truncated: str | None = None
    forced_past: str | None = None  # what was found against the network's calibration; None: nothing
    allows_partial: bool = False  # an input that ends early is no reason for another exit code
    is_interrupted: bool = False
    kept: str | None = None  # what remains for a run that goes on
    notes: list[str] = field(default_factory=list)
    gains_network: Gains | None = None
    gains_written: Gains | None = None

    @property
    def fps(self) -> float:
        """Frames a second of the whole stream, from the first decode to the last write, without what was resumed."""
        return (self.frames_out - self.frames_resumed) / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def warning(self) -> str | None:
        """What should be known before anything else."""
        return f"forced past the gate: {self.forced_past}" if self.forced_past else None

    @property
    def exit_code(self) -> ExitCode:
        """The worst thing that happened."""
        if self.is_interrupted:
            return ExitCode.INTERRUPTED
        if self.truncated and not self.allows_partial:
            return ExitCode.PARTIAL
        return ExitCode.FELL_BACK if self.frames_fallen_back else ExitCode.DONE

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        plain = {name: value for name, value in vars(self).items() if not name.startswith("gains")}
        gains = {"gains_network": self.gains_network, "gains_written": self.gains_written}
        measured = {name: value.as_dict() if value else None for name, value in gains.items()}
        busy = {name: round(seconds, 3) for name, seconds in self.busy_s.items()}
        rounded = {"elapsed_s": round(self.elapsed_s, 3), "fps": round(self.fps, 2), "busy_s": busy}
        return {**plain, **rounded, **measured, "exit_code": int(self.exit_code)}

    def __str__(self) -> str:
        lines = [
            f"{self._kept()}: {self.frames_out} of {self.frames_in} frames in {self.elapsed_s:.1f} s, "
            f"{self.fps:.1f} frames/s",
            f"  {self.model} by {self.backend} in {self.precision} ({self.reason}), written by {self.encoder}",
        ]
        lines += [f"  {told}" for told in (self.warning, self.qp, self.guide) if told]
        if self.elapsed_s:
            shares = ", ".join(f"{name} {seconds / self.elapsed_s:.0%}" for name, seconds in self.busy_s.items())
            lines.append(f"  busy: {shares}")
        if self.latency:
            lines.append(self._latency())
        if self.peak_memory_mb:
            lines.append(f"  peak memory {self.peak_memory_mb:.0f} MB")
        for label, gains in (("out of the network", self.gains_network), ("in the written file", self.gains_written)):
            if gains:
                lines.append(
                    f"  gain on Y {label}: {gains.delta_psnr_db:+.3f} dB PSNR, {gains.delta_ssim * 1e4:+.1f}e-4 SSIM"
                )
        lines += [f"  {note}" for note in [*self._counted(), *self.notes]]
        return "\n".join(lines)

    def _latency(self) -> str:
        ages = self.latency or {}
        return (
            f"  from a frame's packet to its place in the output: median {ages['median_ms']} ms "
            f"({ages['median_frames']} frames), 95 % within {ages['p95_ms']} ms, all within {ages['max_ms']} ms"
        )

    def _kept(self) -> str:
        if not self.is_interrupted:
            return str(self.output)
        if self.output:
            return f"interrupted, kept as {self.output}"
        return "interrupted" if self.kept else "interrupted, nothing was kept"

    def _counted(self) -> list[str]:
        counts = (
            (self.frames_resumed, "frames were there from an earlier run"),
            (self.scene_cuts, "scene cuts: no frame was enhanced by those of another scene"),
            (self.frames_damaged, "packets or frames were damaged; the decoder concealed what it could"),
            (self.frames_fallen_back, "frames came out of the network with NaN or infinite pixels and stay as decoded"),
            (self.frames_skipped, "frames were not enhanced, to keep up; they went on as decoded"),
            (self.timestamps_repaired, "time stamps were missing or not increasing and were repaired"),
        )
        counted = [f"{count} {what}" for count, what in counts if count]
        ends = [f"partial: {self.truncated}" if self.truncated else None, self.kept]
        return counted + [end for end in ends if end]
