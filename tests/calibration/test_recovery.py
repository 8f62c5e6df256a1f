"""Equalisation, rounding together and bias correction, on networks whose right answer is known."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from calibration.activations import Tap, observe
from calibration.bias_correction import with_corrected_biases
from calibration.centring import AMAX, CENTRED, centred
from calibration.equalisation import equalised, groups_of
from calibration.folded import folded_model
from calibration.formats import FORMATS, INT8
from calibration.graph_view import GraphView
from calibration.patches import covered, fits_patches
from calibration.placement import Role, can_be_centred
from calibration.quantiser import RECOVERIES, QuantiserOptions, prepare
from calibration.rounding import rounded_together
from calibration.weight_scales import along, weight_scales
from cvqe.pixels import FLOAT_LUMA, FLOAT_WINDOW
from tests.calibration.graphs import N_FRAMES, Net, residual_net, windows

FLOAT_ATOL = 1e-5  # float32 sums of some hundred products, in another order


def luma(model: onnx.ModelProto) -> list[np.ndarray]:
    tap = Tap(model, [FLOAT_LUMA])
    return [tap(feeds)[0] for feeds in windows()]


def with_loud_channel(model: onnx.ModelProto, times: float) -> onnx.ModelProto:
    """Make one channel of the residual stream louder, and what reads it deaf to it in the same measure."""
    view = GraphView(model.graph)
    for name, row in (
        ("first.weight", np.s_[0]),
        ("first.bias", np.s_[0]),
        ("third.weight", np.s_[0]),
        ("third.bias", np.s_[0]),
    ):
        _scale(view, name, row, times)
    for name in ("second.weight", "last.weight"):
        _scale(view, name, np.s_[:, 0], 1 / times)
    return model


def _scale(view: GraphView, name: str, where: object, factor: float) -> None:
    values = numpy_helper.to_array(view.constants[name]).copy()
    values[where] *= factor
    view.constants[name].CopyFrom(numpy_helper.from_array(values, name))


def test_equalisation_changes_no_output():
    model = folded_model(residual_net())
    for before, after in zip(luma(model), luma(equalised(model, windows())), strict=True):
        np.testing.assert_allclose(after, before, atol=FLOAT_ATOL)


def test_a_residual_stream_is_one_group():
    groups = list(groups_of(GraphView(folded_model(residual_net()).graph)))
    found = [({node.name for node in group.makers}, {node.name for node in group.readers}) for group in groups]
    assert found == [({"first", "third"}, {"second", "last"}), ({"second"}, {"third"})]


def test_a_loud_channel_is_brought_down_to_the_others():
    model = with_loud_channel(folded_model(residual_net()), 32)
    loud, level = (
        observe(each, ["first.leaky"], windows())["first.leaky"].amax for each in (model, equalised(model, windows()))
    )
    assert level < loud / 4  # the weights that read it are 32 times quieter: the louder half of both is left


def test_pixels_are_centred_without_changing_the_output():
    net = Net()
    levels = net.add("Mul", [FLOAT_WINDOW, net.constant("peak", 255.0)], "levels")
    look = net.conv(levels, "look", N_FRAMES, 64, 8, strides=[8, 8], pads=[0] * 4)
    model = net.model(
        net.add("DepthToSpace", [net.add("Mul", [look, net.constant("gain", 1e-3)], "small")], "drawn", blocksize=8)
    )
    moved = centred(model, ["look"])
    for before, after in zip(luma(model), luma(moved), strict=True):
        np.testing.assert_allclose(
            after, before, atol=10 * FLOAT_ATOL
        )  # 128 times the weights' sum is taken off and put on
    seen = observe(moved, ["levels" + CENTRED], windows())["levels" + CENTRED]
    assert seen.amax <= AMAX


@pytest.mark.parametrize("offset, is_centred", [(0.0, True), (-0.5, False)])
def test_only_levels_of_pixels_are_centred(offset, is_centred):
    """Differences, or whatever else goes below 0, would lose their lower half."""
    net = Net()
    moved = net.add("Add", [FLOAT_WINDOW, net.constant("offset", offset)], "moved")
    levels = net.add("Mul", [moved, net.constant("peak", 255.0)], "levels")
    look = net.conv(levels, "look", N_FRAMES, 64, 8, strides=[8, 8], pads=[0] * 4)
    model = net.model(net.add("DepthToSpace", [look], "drawn", blocksize=8))
    prepared = prepare(model, windows(), QuantiserOptions(also=[Role.LAST]))
    assert ("levels" + CENTRED in prepared.amax) == is_centred


def test_a_convolution_that_pads_by_a_rule_is_left_as_it_is():
    net = Net()
    levels = net.add("Mul", [FLOAT_WINDOW, net.constant("peak", 255.0)], "levels")
    look = net.conv(levels, "look", N_FRAMES, 64, 8, strides=[8, 8], pads=[0] * 4)
    model = net.model(net.add("DepthToSpace", [look], "drawn", blocksize=8))
    node = next(node for node in model.graph.node if node.name == "look")
    del node.attribute[:]
    node.attribute.extend([helper.make_attribute("auto_pad", "SAME_UPPER"), helper.make_attribute("strides", [8, 8])])
    view = GraphView(model.graph)
    assert not can_be_centred(view, node) and not fits_patches(view, node)


@pytest.mark.parametrize("recovery", [(), RECOVERIES])
def test_a_narrow_network_keeps_its_biases_where_they_are_looked_for(recovery):
    prepared = prepare(residual_net(16), windows(), QuantiserOptions(recovery=recovery, also=[Role.NARROW]))
    assert prepared.placement.quantised == ("second", "third")
    prepared.quantised()


def test_weights_rounded_together_keep_the_output_nearer_than_the_nearest_ones():
    random = np.random.default_rng(0)
    x = random.standard_normal((400, 36)) @ random.standard_normal((36, 36)) + 3  # correlated, and not around 0
    weight = random.standard_normal((8, 4, 3, 3)).astype(np.float32)
    scales = weight_scales(weight, 0, INT8) * 8  # 4 bits: a coarse grid shows the difference
    flat = weight.reshape(8, -1)

    def error(stored: np.ndarray) -> float:
        return float(np.square(x @ (stored.reshape(8, -1) * scales[:, None] - flat).T).mean())

    together = rounded_together(weight, scales, x.T @ x, INT8)
    assert together.dtype == np.int8
    assert error(together) < 0.5 * error(INT8.store(weight / along(scales, 0)))


def test_a_corrected_bias_takes_the_mean_error_off():
    model = folded_model(residual_net())
    view = GraphView(model.graph)
    nodes = [node for node in view.convolutions() if node.name == "second" and fits_patches(view, node)]
    seen = covered(model, nodes, {"first.leaky": 4.0}, INT8, windows(), seed=0)
    shifted = view.weight(nodes[0]) + np.float32(0.01)
    corrected = with_corrected_biases(model, {"second.weight": shifted}, seen)
    biases = [
        numpy_helper.to_array(GraphView(each.graph).constants[name])
        for each, name in ((model, "second.bias"), (corrected, "second/corrected_bias"))
    ]
    mean_shift = 0.01 * seen["second"].rounded.sum() / seen["second"].n
    np.testing.assert_allclose(biases[1] - biases[0], -mean_shift, rtol=0.1)  # rounding of x shifts it a little, too


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_samples_and_seed_make_the_same_file(to):
    options = QuantiserOptions(to, recovery=RECOVERIES)
    first, again = (prepare(residual_net(), windows(), options).quantised().SerializeToString() for _ in range(2))
    assert first == again


@pytest.mark.parametrize("recovery", [(), *((each,) for each in RECOVERIES)])
def test_every_recovery_alone_gives_a_network_that_draws_nearly_the_same(recovery):
    model = residual_net()
    rounded = prepare(model, windows(), QuantiserOptions(observer="min-max", recovery=recovery)).quantised()
    error = max(float(np.abs(a - b).max()) for a, b in zip(luma(model), luma(rounded), strict=True))
    assert error < 1 / 255
