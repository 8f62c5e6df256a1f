import onnx
from onnx import helper

from calibration.layer_titles import layer_titles
from cvqe.pixels import FLOAT_WINDOW
from tests.calibration.graphs import Net, residual_net


def test_a_convolution_is_called_what_its_weights_are():
    titles = layer_titles(residual_net())
    assert titles == {name: name for name in ("first", "second", "third", "last")}


def test_what_is_computed_from_weights_has_their_name_and_those_that_share_them_their_own_beside_it():
    net = Net()
    head = net.conv(FLOAT_WINDOW, "head", 3, 8)
    net.add("Abs", ["head.weight"], "magnitudes")
    net.nodes.append(helper.make_node("Conv", [FLOAT_WINDOW, "magnitudes"], ["again"], "again", pads=[1] * 4))
    pooled = net.constant("mean", [[[[0.5]]]])
    net.nodes.append(helper.make_node("Conv", [net.conv(head, "tail.last", 8, 1), pooled], ["pooled"], "pooled"))
    expected = {"head": "head (head)", "again": "head (again)", "tail.last": "tail.last", "pooled": "pooled"}
    assert layer_titles(net.model("pooled")) == expected


def test_the_shipped_network_has_no_title_twice():
    titles = layer_titles(onnx.load("weights/live.onnx"))
    assert len(set(titles.values())) == len(titles)
    assert titles["node_conv2d_29"] == "body.0.first"
