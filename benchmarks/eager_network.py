"""A network as its authors run it: torch, eager, float32; called like an engine."""

import torch
from torch import Tensor

from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import BackendError
from cvqe.layers.deform_conv import deform_conv2d
from cvqe.layers.pixel_ends import PixelEnds
from cvqe.manifest import HIDDEN
from plugins.deform_conv.sampler import allowed_cpus
from runtime.engine import Enhanced, Guide, Luma, frame_inputs, hidden_start, names_of_frame_inputs
from runtime.model_file import ModelFile


def load_what_torch_loads_late() -> None:
    """Compute something small: an operation of our own makes torch import some 100 MB when it is first called."""
    with torch.inference_mode():
        x = torch.zeros(1, 1, 4, 4)
        deform_conv2d(x, torch.zeros(1, 18, 4, 4), None, torch.zeros(1, 1, 3, 3), torch.zeros(1))


class EagerNetwork:
    """The network of an exported file; see `Engine`. Every call uploads its window and waits for the result."""

    backend, precision = "torch eager", "fp32"

    def __init__(self, file: ModelFile, device: str = "cpu", threads: int = 0) -> None:
        """Load it.

        Args:
            file: holds the network's weights by their names, as all exported files do but quantised ones.
            device: `cpu` or `cuda`.
            threads: of the CPU's, which is a setting of the whole process; 0: every processor it may use.

        Raises:
            BackendError: it is quantised.
        """
        if file.manifest.is_quantised:
            raise BackendError(
                f"{file.path} is calibrated for {file.manifest.precision}, which torch does not compute in; give it "
                "the network that it was calibrated from."
            )
        torch.set_num_threads(threads or len(allowed_cpus()))
        self.device, self._manifest = device, file.manifest
        self._ends = PixelEnds(network_from_checkpoint(load_checkpoint(file.path))).eval().to(device)
        self._hidden: list[Tensor] = []

    def enhance(self, frames: Luma, qp: float | None = None, guide: Guide | None = None) -> Enhanced:
        """Enhance the target of a window of 8-bit frames; see `Engine`."""
        size = frames.shape[1:]
        others = frame_inputs(self._manifest, size, qp, guide)
        inputs = [frames[None], *(others[name] for name in names_of_frame_inputs(self._manifest))]
        with torch.inference_mode():
            tensors = [torch.from_numpy(each).to(self.device) for each in inputs]
            luma, mean, *self._hidden = self._ends(*tensors, *(self._hidden or self._hidden_start(*size)))
            # to the host: that waits for the device
            return Enhanced(luma[0, 0].cpu().numpy(), bool(mean.isfinite()))

    def reset(self) -> None:
        """See `Engine`."""
        self._hidden = []

    def _hidden_start(self, height: int, width: int) -> list[Tensor]:
        start = hidden_start(self._manifest, height, width)
        return [torch.from_numpy(start[HIDDEN]).to(self.device)] if start else []
