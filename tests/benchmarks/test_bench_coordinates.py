"""What a deformable convolution reads is taken from the network, and measured under every scheme."""

import numpy as np
import pytest
import torch

from benchmarks import bench_coordinates
from benchmarks.bench_coordinates import SCHEMES, noise, psnr_db, rows_of, tensors_of
from cvqe.layers.deform_block import DeformBlock
from export.graph import float_graph
from plugins.deform_conv.node_facts import is_standard, problem_from_node, value_types


class Aligned(torch.nn.Module):
    """A network that is one deformable convolution and what predicts its offsets and mask."""

    radius = 1

    def __init__(self):
        super().__init__()
        self.block = DeformBlock(3, 3, 8, 3)
        torch.nn.init.normal_(self.block.offset_mask.weight, std=0.5)

    def forward(self, window):
        return self.block(window, window)


def test_a_nodes_inputs_give_its_output_and_a_row_for_every_scheme(monkeypatch):
    monkeypatch.setattr(bench_coordinates, "FAR_COLUMN", 40)
    torch.manual_seed(0)
    model = float_graph(Aligned())
    (node,) = filter(is_standard, model.graph.node)
    window = np.random.default_rng(0).random((1, 3, 12, 50), np.float32)
    (tensors,) = tensors_of([node], model, window)
    assert [tensor.shape for tensor in tensors] == [(3, 12, 50), (8, 3, 3, 3), (54, 12, 50), (8,), (27, 12, 50)]
    assert 0 <= tensors[4].min() < tensors[4].max() <= 1  # a mask, not its logits
    rows = list(rows_of("a case", problem_from_node(node, value_types(model)), tensors, "50x12"))
    assert [(row["case"], row["scheme"]) for row in rows] == [("a case", name) for name in SCHEMES]
    ours, built_in = (
        next(float(row["psnr_db"]) for row in rows if row["scheme"] == name) for name in ("ours", "built-in")
    )
    assert ours > built_in + 10


def test_noise_is_the_worst_and_half_coordinates_show_it():
    rows = {row["scheme"]: float(row["psnr_db"]) for row in rows_of("noise", *noise(60, 8), "60x8")}
    assert rows["ours"] > rows["built-in"] + 10


def test_psnr_is_relative_to_the_exact_range():
    exact = np.array([[-1.0, 1.0]])
    assert psnr_db(np.array([[0.02, 0.02]]), exact) == "40.0"
    assert psnr_db(np.zeros((1, 0)), exact) == ""


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_keeps_its_tensors_in_half(name):
    assert SCHEMES[name].data == np.float16
