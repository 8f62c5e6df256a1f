"""A subject that is an exported network, run by any backend of the runtime."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cvqe.frame import Luma
from runtime.engine import Engine, EngineRequest, Enhanced, Guide, open_engine
from runtime.model_file import find_model, load_model_file
from training.evaluation.cases import Case
from training.evaluation.luma_clip import LumaClip
from training.evaluation.network_windows import UNITS, Wanted, enhance_windows, guide_settings
from training.evaluation.subject import Facts, Frames

PROBE_PX = 64  # the frame with which it is found out what `auto` stands for


@dataclass(frozen=True)
class OnnxNetwork:
    """A network by file, or by shipped name: then the one trained nearest to a case's QP. No `auto` is left."""

    label: str
    model: str
    backend: str
    precision: str
    threads: int = 0
    guide: str = UNITS

    @property
    def name(self) -> str:
        """See Subject."""
        return f"{self.label} {self.backend} {self.precision}"

    def facts(self, case: Case) -> Facts:
        """See Subject."""
        model = find_model(self.model, case.qp)
        settings = guide_settings(model.manifest.takes_guide, self.guide)
        return Facts(self.name, self.backend, self.precision, settings, sha256=model.sha256)

    def needs_partitions(self, case: Case) -> bool:
        """See Subject."""
        return find_model(self.model, case.qp).manifest.takes_guide and self.guide == UNITS

    def enhance(self, case: Case, decoded: LumaClip) -> Frames:
        """See Subject; the engine is kept for the next clip of this size."""
        model = find_model(self.model, case.qp)
        engine = _engine(self, model.path, model.sha256, decoded.height, decoded.width, decoded.bit_depth)
        manifest = model.manifest
        engine.reset()  # what a recurrent network left behind is another clip's

        def network(window: Luma, qp: float | None, guide: Guide | None) -> Enhanced:
            return engine.enhance(window, manifest.middle_qp if qp is None and manifest.takes_qp else qp, guide)

        guide = self.guide if manifest.takes_guide else None
        wanted = Wanted(manifest.network, manifest.radius, manifest.neighbors, guide)
        return enhance_windows(network, case, decoded, wanted)


def onnx_network(
    label: str, model: str, backend: str, precision: str, threads: int, guide: str = UNITS
) -> tuple[OnnxNetwork, str]:
    """Find out what `auto` means here by opening an engine for a small frame; returns the reason too.

    Raises:
        UsageError: no such network, backend or precision.
        ModelError: the file is damaged or foreign.
        BackendError: the backend can't run it.
    """
    request = EngineRequest(find_model(model), PROBE_PX, PROBE_PX, 8, precision, threads)
    choice = open_engine(request, backend)
    return OnnxNetwork(label, model, choice.engine.backend, choice.engine.precision, threads, guide), choice.reason


@lru_cache(maxsize=1)  # an engine may hold a gigabyte
def _engine(network: OnnxNetwork, path: Path, _sha256: str, height: int, width: int, bit_depth: int) -> Engine:
    model = load_model_file(path)
    request = EngineRequest(model, height, width, bit_depth, network.precision, network.threads)
    return open_engine(request, network.backend).engine
