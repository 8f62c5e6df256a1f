"""How a clip is coded: standard, structure, quantiser; and the names that tell one way from another."""

from dataclasses import dataclass

from cvqe.errors import UsageError
from training import x264_settings, x265_settings
from training.qp_pattern import HM_OFFSETS, MAX_QP, MIN_QP

CODECS = {"hevc": x265_settings, "avc": x264_settings}
MAX_TRANSFORM_DEPTH = 4  # x265's largest: 64x64 down to 4x4


@dataclass(frozen=True)
class Coding:
    """One way to code, whatever the clip.

    Attributes:
        configuration: `ldp`, `ldp-hm`, `ai` or `ra`; x265_settings.py tells what they are.
        qp: quantiser, 1 to 51.
        codec: `hevc` (libx265) or `avc` (libx264).
        transform_depth: of HEVC's transform trees, 1 (x265's own) to 4; HM's configurations have 3.

    Raises:
        UsageError: one of them is out of its range, or transform trees are asked of AVC, which has none.
    """

    configuration: str
    qp: int
    codec: str = "hevc"
    transform_depth: int = 1

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise UsageError(f"no codec {self.codec!r}; choose one of {', '.join(CODECS)}.")
        if self.configuration not in CODECS[self.codec].CONFIGURATIONS:
            known = ", ".join(CODECS[self.codec].CONFIGURATIONS)
            raise UsageError(f"no configuration {self.configuration!r}; choose one of {known}.")
        if not MIN_QP <= self.qp <= MAX_QP:
            raise UsageError(f"--qp {self.qp} is out of range; give {MIN_QP} to {MAX_QP}.")
        if not 1 <= self.transform_depth <= MAX_TRANSFORM_DEPTH:
            raise UsageError(f"--transform-depth {self.transform_depth}: give 1 to {MAX_TRANSFORM_DEPTH}; HM's is 3.")
        if self.transform_depth > 1 and self.codec != "hevc":
            raise UsageError(f"--transform-depth is HEVC's and does not go with --codec {self.codec}; leave one out.")

    @property
    def name(self) -> str:
        """Name what every QP shares: `ldp`, `avc-ldp`, `ldp-hm-tu3`."""
        prefix = "" if self.codec == "hevc" else f"{self.codec}-"
        suffix = "" if self.transform_depth == 1 else f"-tu{self.transform_depth}"
        return f"{prefix}{self.configuration}{suffix}"

    @property
    def folder(self) -> str:
        """Name the folder of the clips coded so: `ldp_qp37`."""
        return f"{self.name}_qp{self.qp}"

    @property
    def encoder(self) -> str:
        """Give FFmpeg's name of the encoder."""
        return {"hevc": "libx265", "avc": "libx264"}[self.codec]

    @property
    def min_side_px(self) -> int:
        """Give the smallest width and height that the encoder takes."""
        return 16 if self.codec == "hevc" else 2  # x265: its smallest coding tree unit

    @property
    def settings(self) -> dict[str, str]:
        """Give all that decides the bits beside the pictures, with one period of the QP pattern if there is one."""
        return {"encoder": self.encoder, **self.options(1 + len(HM_OFFSETS))}

    def options(self, n_frames: int) -> dict[str, str]:
        """Return FFmpeg's options of the encoder for a clip of so many frames."""
        if self.codec == "avc":
            params = x264_settings.x264_params(self.configuration, self.qp, n_frames)
            return {"preset": x264_settings.PRESET, "x264-params": params}
        params = x265_settings.x265_params(self.configuration, self.qp, n_frames, self.transform_depth)
        return {"preset": x265_settings.PRESET, "x265-params": params}


def compress_options(name: str) -> str:
    """Return what makes training/compress.py write folders of this `Coding.name`: avc-ldp, ldp-hm-tu3."""
    configuration, _, depth = name.removeprefix("avc-").partition("-tu")
    codec = " --codec avc" if name.startswith("avc-") else ""
    return f"--configuration {configuration}{codec}" + (f" --transform-depth {depth}" if depth else "")
