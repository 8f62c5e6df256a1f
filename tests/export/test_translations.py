import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, shape_inference
from torch import Tensor, nn

from cvqe.layers.channel_attention import ChannelAttention
from export.graph import float_graph


class Convolved(nn.Module):
    """A convolution without bias, one with everything, and one by an identity, in the way `live` halves frames."""

    radius = 1

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(3, 6, 3, bias=False)
        self.full = nn.Conv2d(6, 1, (3, 1), stride=(1, 2), padding=(2, 1), dilation=(2, 1), groups=1)

    def forward(self, window: Tensor) -> Tensor:
        same = nn.functional.conv2d(window, torch.eye(3)[:, :, None, None])
        return self.full(self.plain(same))


def test_convolutions_are_written_with_what_they_have():
    torch.manual_seed(0)
    network = Convolved()
    model = float_graph(network)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert sorted(len(node.input) for node in convolutions) == [2, 2, 3]
    kinds = {node.op_type for node in model.graph.node}
    assert not {"Range", "Equal", "Expand", "CastLike"} & kinds  # an identity is a constant, no zeros are made up
    window = np.random.default_rng(0).random((1, 3, 12, 17), np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (luma,) = session.run(None, {"window_float": window})
    with torch.no_grad():
        np.testing.assert_allclose(luma, network(torch.from_numpy(window)).numpy(), atol=1e-6)


class Weighed(nn.Module):
    """Channel attention in half precision between float32 ends."""

    radius = 1

    def __init__(self) -> None:
        super().__init__()
        self.attention = ChannelAttention(3).half()

    def forward(self, window: Tensor) -> Tensor:
        return self.attention(window.half())[:, :1].float()


def test_means_over_a_whole_frame_are_float32_in_a_half_graph():
    """A half sum of 720p's pixels near 1.0 would end at 65504."""
    graph = shape_inference.infer_shapes(float_graph(Weighed())).graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    means = [node for node in graph.node if node.op_type == "ReduceMean"]
    assert [types[node.input[0]] for node in means] == [TensorProto.FLOAT]
