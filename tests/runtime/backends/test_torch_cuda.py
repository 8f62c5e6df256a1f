"""The torch network between its ends, on the CPU: what a GPU records is the same run over its own memory."""

import numpy as np
import pytest
import torch

from cvqe.errors import BackendError
from export.verify import made_up_window
from runtime.backends.torch_cuda import TorchNetwork
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import find_model

SIZE = (33, 47)
LEVELS_APART = 1  # float32 sums in another order: a luma near a half level may round to either side


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_a_run_reads_its_inputs_and_fills_its_outputs(bit_depth):
    levels = made_up_window(7, SIZE, 2**bit_depth - 1)[1]
    window = levels.astype(np.uint8) if bit_depth == 8 else levels.astype("<u2")[..., None].view(np.uint8)
    request = EngineRequest(find_model("live"), *SIZE, bit_depth, "fp32")
    network = TorchNetwork(request, torch.device("cpu"))
    values = {"window": window[None], "peak": np.float32(2**bit_depth - 1), "qp": np.full(1, 30, np.float32)}
    tensors = {spec.name: torch.from_numpy(np.array(values[spec.name], spec.dtype)) for spec in network.inputs}
    tensors |= {spec.name: torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype.name)) for spec in network.outputs}
    with torch.inference_mode():
        network._run(tensors)
    expected = open_engine(request, "onnxruntime").engine.enhance(window, 30.0).luma
    found = tensors["enhanced"][0, 0].numpy()
    assert found.shape == expected.shape
    scale = 1 if bit_depth == 8 else np.array([1, 256])
    apart = (found.astype(int) - expected) * scale
    assert np.abs(apart if bit_depth == 8 else apart.sum(-1)).max() <= LEVELS_APART
    assert np.isfinite(float(tensors["enhanced_mean"]))


def test_a_precision_that_it_does_not_compute_in_is_refused():
    request = EngineRequest(find_model("live"), *SIZE, precision="bf16")
    with pytest.raises(BackendError, match="fp16 or fp32, not in bf16"):
        TorchNetwork(request, torch.device("cpu"))
