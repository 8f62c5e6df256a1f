"""Everything doctor.py tells: the machine, the packages, what stream.py would run, and what is in its way."""

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvqe.errors import CvqeError
from runtime.machine import Machine, this_machine
from runtime.packages import PACKAGES, Finding, examine, install_for_cpu, installed_distributions, onnxruntime_clash

if TYPE_CHECKING:
    from runtime.trial import Trial

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
GIB = 2**30
LABEL_WIDTH = 14


@dataclass(frozen=True)
class Diagnosis:
    """What was found; `trial` and `obstacle` exclude each other."""

    machine: Machine
    python: str
    packages: tuple[Finding, ...]
    decoders: dict[str, bool]
    encoders: dict[str, bool]
    networks: tuple[str, ...]
    warnings: tuple[str, ...]
    trial: "Trial | None"
    obstacle: str | None

    @property
    def can_stream(self) -> bool:
        """Whether stream.py would enhance a video here."""
        return self.trial is not None

    def as_dict(self) -> dict[str, Any]:
        """Return what --json prints."""
        return {**asdict(self), "can_stream": self.can_stream}

    def __str__(self) -> str:
        rows = [*_machine_rows(self.machine), ("python", self.python)]
        rows += [(finding.name, _told(finding)) for finding in self.packages]
        nvenc = "" if self.machine.gpus else "; *_nvenc needs an NVIDIA GPU"
        rows += [("decoders", _coders(self.decoders)), ("encoders", _coders(self.encoders) + nvenc)]
        rows += [("networks", " ".join(self.networks) or "none in weights/")]
        rows += [("auto", _chosen(self.trial))] if self.trial else []
        rows += [("warning", warning) for warning in self.warnings]
        rows += [("stream.py", "can run" if self.can_stream else f"can't run: {self.obstacle}")]
        return "\n".join(_row(label, value) for label, value in rows)


def diagnose(network: str | None = None) -> Diagnosis:
    """Look at everything; a network by name or path is tried in place of the default one."""
    machine = this_machine()
    installed = installed_distributions()
    packages = tuple(examine(package, installed) for package in PACKAGES)
    decoders, encoders = _codecs()
    clash = onnxruntime_clash(installed, bool(machine.gpus))
    trial, obstacle = _trial(network, packages)
    return Diagnosis(
        machine=machine,
        python=platform.python_version(),
        packages=packages,
        decoders=decoders,
        encoders=encoders,
        networks=tuple(sorted(path.stem for path in WEIGHTS.glob("*.onnx"))),
        warnings=(clash,) if clash else (),
        trial=trial,
        obstacle=obstacle,
    )


def _codecs() -> tuple[dict[str, bool], dict[str, bool]]:
    try:
        from runtime.codec_support import supported_codecs
    except Exception:  # av is missing or broken, which its own row tells
        return {}, {}
    return supported_codecs()


def _trial(network: str | None, packages: tuple[Finding, ...]) -> "tuple[Trial | None, str | None]":
    """Run what stream.py runs; without the packages it needs, that is as far as its imports."""
    try:
        from runtime.trial import try_engine

        return (try_engine(network) if network else try_engine()), None
    except CvqeError as error:
        return None, str(error)
    except Exception as error:  # a missing or broken package may fail in any way; here that is a result
        install = install_for_cpu(packages)
        advice = f".\nInstall what it needs:  {install}" if install else ""
        return None, f"{type(error).__name__}: {error}{advice}"


def _row(label: str, value: str) -> str:
    first, *others = value.splitlines()
    return "\n".join([f"{label:{LABEL_WIDTH}}{first}", *(f"{'':{LABEL_WIDTH}}{line}" for line in others)])


def _machine_rows(machine: Machine) -> list[tuple[str, str]]:
    cores = f"{machine.n_cores} cores usable"
    if machine.core_quota:
        cores += f", a container's limit of {machine.core_quota:g}"
    features = "unknown"
    if machine.features is not None:
        features = " ".join(name for name, is_there in machine.features.items() if is_there) or "none"
    memory = "unknown" if machine.memory_bytes is None else f"{machine.memory_bytes / GIB:.1f} GiB"
    return [
        ("processor", f"{machine.processor}, {cores}"),
        ("features", features),
        ("memory", memory),
        ("gpu", "\n".join(machine.gpus) if machine.gpus else f"none: {machine.gpu_note}"),
    ]


def _told(finding: Finding) -> str:
    if finding.version is None:
        return f"not installed ({finding.purpose}):  {finding.install}"
    if finding.problem:
        return f"{finding.version} {finding.problem}\nMend it:  {finding.install}"
    return f"{finding.version}  {', '.join(finding.offers)}".rstrip()


def _coders(coders: dict[str, bool]) -> str:
    if not coders:
        return "unknown without av"
    missing = [name for name, is_there in coders.items() if not is_there]
    there = " ".join(name for name, is_there in coders.items() if is_there)
    return f"{there} (not here: {' '.join(missing)})" if missing else there


def _chosen(trial: "Trial") -> str:
    return f"{trial.backend} in {trial.precision} on {trial.device}: {trial.reason}"
