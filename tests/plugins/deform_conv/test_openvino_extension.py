import logging
import subprocess
import sys
import threading

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from onnx import TensorProto, helper

from plugins.deform_conv import openvino_extension
from plugins.deform_conv.openvino_extension import extensions, why_builtin
from tests.plugins.deform_conv.cases import Case, make_case

# outputs are near 1; up to 75 products are summed in float32
ATOL = 1e-5
# ONNX Runtime and the built-in operation sum coordinates in float32: near 1400 to 6e-5 px, three taps of which count
WIDE_ATOL = 4e-4
# offset, mask, x, samples, weights and y are rounded to 8 bits once; 9 products whose roundings mostly cancel
BF16_ATOL = 0.05
OWN, WARP, BUILTIN = "SampleTaps", "WarpPlanes", "DeformableConvolution"


def read(model, precision="f32", n_threads=2):
    core = openvino.Core()
    core.add_extension(extensions(precision, n_threads))
    return core, core.read_model(model)


def compiled(model, precision="f32", hint=None, **settings):
    core, network = read(model, precision)
    return core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": hint or precision, **settings})


def run(case, precision="f32", **settings):
    return compiled(case.model(), precision, **settings)(case.feeds())[0]


def op_types(network):
    return [node.get_type_name() for node in network.get_ops()]


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("height, width", [(17, 31), (1, 1), (1, 9), (9, 1)])
def test_equals_reference_and_onnxruntime_at_odd_sizes(kernel, height, width):
    case = make_case(3, kernel, height, width)
    y = run(case)
    np.testing.assert_allclose(y, case.reference(), atol=ATOL, rtol=0)
    np.testing.assert_allclose(y, case.onnxruntime(), atol=2 * ATOL, rtol=0)


@pytest.mark.parametrize(
    "channels, options",
    [(64, {}), (5, {"n": 3}), (4, {"stride": 2}), (4, {"dilation": 2}), (6, {"group": 3, "c_out": 9})],
    ids=str,
)
def test_shapes_and_attributes_of_our_own_path(channels, options):
    case = make_case(channels, 3, 13, 18, **options)
    assert OWN in op_types(read(case.model())[1])
    np.testing.assert_allclose(run(case), case.reference(), atol=ATOL, rtol=0)


@pytest.mark.parametrize(
    "options",
    [{"offset_group": 1}, {"offset_group": 2, "group": 2}, {"offset_group": 2, "stride": 2, "dilation": 2}],
    ids=str,
)
def test_fewer_offset_groups_take_the_builtin_operation_and_say_so(options, caplog):
    case = make_case(4, 3, 13, 18, **options)
    with caplog.at_level(logging.WARNING):
        network = read(case.model())[1]
    assert BUILTIN in op_types(network) and OWN not in op_types(network)
    assert f"{options['offset_group']} offset groups for 4 channels" in caplog.text
    np.testing.assert_allclose(run(case), case.reference(), atol=ATOL, rtol=0)


@pytest.mark.parametrize("absent", [["mask"], ["bias"], ["bias", "mask"]], ids=str)
@pytest.mark.parametrize("offset_group", [3, 1])
def test_mask_and_bias_may_be_absent(absent, offset_group):
    case = make_case(3, 3, 9, 11, offset_group=offset_group)
    case = Case({name: t for name, t in case.tensors.items() if name not in absent}, case.attributes)
    np.testing.assert_allclose(run(case), case.reference(), atol=ATOL, rtol=0)


def test_opset_22():
    case = make_case(3, 3, 9, 11)
    np.testing.assert_allclose(compiled(case.model(opset=22))(case.feeds())[0], case.reference(), atol=ATOL, rtol=0)


def test_a_model_in_a_file(tmp_path):
    case, path = make_case(3, 3, 9, 11), tmp_path / "model.onnx"
    path.write_bytes(case.model())
    np.testing.assert_allclose(compiled(path)(case.feeds())[0], case.reference(), atol=ATOL, rtol=0)


def test_coordinates_are_exact_in_a_wide_picture():
    case = make_case(3, 3, 5, 1400)
    y = run(case)
    np.testing.assert_allclose(y, case.reference(), atol=ATOL, rtol=0)
    np.testing.assert_allclose(y, case.onnxruntime(), atol=WIDE_ATOL, rtol=0)


@pytest.mark.parametrize("channels", [3, 4])
def test_coordinates_are_exact_in_bf16_too(channels):
    case = make_case(channels, 3, 5, 1400)
    error = np.abs(run(case, "bf16") - case.reference())
    assert error.max() < BF16_ATOL
    # the bound means something: coordinates rounded to bfloat16, as by a GridSample under this hint, break it
    columns = np.arange(1400, dtype=np.float32)
    moved = case.tensors["offset"].reshape(-1, 2, 5, 1400)[:, 1] + columns
    rounded = (moved.view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)
    case.tensors["offset"].reshape(-1, 2, 5, 1400)[:, 1] = rounded - columns
    assert np.abs(run(case, "bf16") - run(make_case(channels, 3, 5, 1400), "bf16")).max() > 5 * BF16_ATOL


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("precision, hint", [("f32", "bf16"), ("bf16", "f32"), ("f32", "f16"), ("bf16", "f16")])
def test_a_precision_other_than_the_hint_only_costs_time(precision, hint, kernel):
    case = make_case(4, kernel, 9, 11)
    np.testing.assert_allclose(run(case, precision, hint=hint), case.reference(), atol=BF16_ATOL, rtol=0)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("precision, atol", [("f32", ATOL), ("bf16", BF16_ATOL)])
def test_one_compiled_model_takes_every_size(precision, atol, kernel):
    cases = [make_case(4, kernel, height, width) for height, width in ((9, 11), (16, 8), (1, 1))]
    for case in cases:
        case.tensors.update({name: cases[0].tensors[name] for name in ("weight", "bias")})
    model = compiled(cases[0].model(), precision)
    for case in [*cases, cases[0]]:
        np.testing.assert_allclose(model(case.feeds())[0], case.reference(), atol=atol, rtol=0)


@pytest.mark.parametrize("far", [np.nan, np.inf, -3e38, 2.0**31])
@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_taps_moved_out_of_the_picture_read_zero(far, precision, kernel):
    case = make_case(3, kernel, 6, 7)
    case.tensors["offset"][:, ::2] = far
    expected = np.broadcast_to(case.tensors["bias"][:, None, None], (1, 4, 6, 7))
    np.testing.assert_allclose(run(case, precision), expected, atol=ATOL if precision == "f32" else BF16_ATOL, rtol=0)


def predicted(case, cut, dtype=TensorProto.FLOAT):
    """Return a model whose offset and mask come from one 1x1 convolution of x, cut by Split or Slice, and a sigmoid."""
    weight, bias = case.tensors["weight"], case.tensors["bias"]
    channels, n_mask = case.tensors["x"].shape[1], case.tensors["mask"].shape[1]
    rng = np.random.default_rng(5)
    numpy_type = helper.tensor_dtype_to_np_dtype(dtype)
    constants = {
        "weight": weight.astype(numpy_type),
        "bias": bias.astype(numpy_type),
        "predict": rng.standard_normal((3 * n_mask, channels, 1, 1), np.float32).astype(numpy_type),
        "lengths": np.array([2 * n_mask, n_mask]),
        **{
            name: np.array([value])
            for name, value in (("zero", 0), ("middle", -n_mask), ("end", 3 * n_mask), ("axis", 1))
        },
    }
    cuts = {
        "split": [helper.make_node("Split", ["both", "lengths"], ["offset", "logits"], axis=1)],
        "slice": [
            helper.make_node("Slice", ["both", "zero", "middle", "axis"], ["offset"]),
            helper.make_node("Slice", ["both", "middle", "end", "axis"], ["logits"]),
        ],
    }
    nodes = [
        helper.make_node("Conv", ["x", "predict"], ["both"]),
        *cuts[cut],
        helper.make_node("Sigmoid", ["logits"], ["mask"]),
        helper.make_node("DeformConv", ["x", "weight", "offset", "bias", "mask"], ["y"], **case.attributes),
    ]
    graph = helper.make_graph(
        nodes,
        "predicted",
        [helper.make_tensor_value_info("x", dtype, [1, channels, "height", "width"])],
        [helper.make_tensor_value_info("y", dtype, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    both = np.einsum("oi,niyx->noyx", constants["predict"][..., 0, 0].astype(np.float32), case.tensors["x"])
    tensors = {"offset": both[:, : 2 * n_mask], "mask": 1 / (1 + np.exp(-both[:, 2 * n_mask :]))}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    return model.SerializeToString(), Case(case.tensors | tensors, case.attributes)


@pytest.mark.parametrize("cut", ["split", "slice"])
@pytest.mark.parametrize("precision, atol", [("f32", ATOL), ("bf16", BF16_ATOL)])
@pytest.mark.parametrize("channels", [3, 4])
def test_offset_and_mask_of_one_convolution_are_read_in_place(cut, precision, atol, channels):
    model, case = predicted(make_case(channels, 3, 9, 11), cut)
    network = read(model, precision)[1]
    assert not {"VariadicSplit", "Split", "Slice", "Sigmoid"} & set(op_types(network))
    own = next(node for node in network.get_ops() if node.get_type_name() == OWN)
    assert own.get_input_size() == 2  # x, and both
    y = compiled(model, precision)({"x": case.tensors["x"]})[0]
    np.testing.assert_allclose(y, case.reference(), atol=atol, rtol=0)


def test_a_float16_model():
    model, case = predicted(make_case(4, 3, 9, 11), "split", TensorProto.FLOAT16)
    y = compiled(model)({"x": case.tensors["x"].astype(np.float16)})[0]
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, case.reference(), atol=BF16_ATOL, rtol=0)


def test_nothing_is_copied_around_the_sampler_in_bf16():
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16 convolutions")
    model, case = predicted(make_case(64, 1, 32, 48, c_out=64), "split")
    core, network = read(model, "bf16")
    network.reshape(case.tensors["x"].shape)
    request = core.compile_model(
        network, "CPU", {"INFERENCE_PRECISION_HINT": "bf16", "PERF_COUNT": True}
    ).create_infer_request()
    request.infer({"x": case.tensors["x"]})
    executed = [p.node_type for p in request.profiling_info if p.status == p.Status.EXECUTED]
    # x comes in as float32 planes and y leaves so
    assert sorted(set(executed) - {"Reorder", "Transpose"}) == ["Convolution", "Reference"]
    assert executed.count("Reorder") <= 3 and executed.count("Transpose") <= 1


def identity(case, without=()):
    """Return the case with the weights of a warp, and without some of its tensors."""
    channels = case.tensors["x"].shape[1]
    weight, bias = np.eye(channels, dtype=np.float32)[:, :, None, None], np.zeros(channels, np.float32)
    tensors = case.tensors | {"weight": weight, "bias": bias}
    return Case({name: t for name, t in tensors.items() if name not in without}, case.attributes)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("without", [[], ["mask"], ["bias", "mask"]], ids=str)
@pytest.mark.parametrize("precision, atol", [("f32", ATOL), ("bf16", BF16_ATOL)])
def test_a_warp_needs_no_convolution(channels, without, precision, atol):
    case = identity(make_case(channels, 1, 17, 31), without)
    types = op_types(read(case.model(), precision)[1])
    assert WARP in types and not {OWN, "Convolution", "Add"} & set(types)
    np.testing.assert_allclose(run(case, precision), case.reference(), atol=atol, rtol=0)


@pytest.mark.parametrize("changed", ["weight", "bias"])
def test_one_tap_with_other_weights_is_a_warp_and_a_convolution(changed):
    case = identity(make_case(3, 1, 9, 11))
    case.tensors[changed][1] += 0.5
    assert {WARP, "Convolution"} <= set(op_types(read(case.model())[1]))
    np.testing.assert_allclose(run(case), case.reference(), atol=ATOL, rtol=0)


@pytest.mark.parametrize("channels, kernel, options", [(9, 1, {}), (2, 3, {}), (2, 1, {"stride": 2})], ids=str)
def test_what_is_no_warp_of_a_few_planes_goes_the_general_way(channels, kernel, options):
    assert OWN in op_types(read(make_case(channels, kernel, 8, 8, **options).model())[1])


def aligned(planes="frames"):
    """Return what an exporter writes around a warp: neighbors cut out of frames, displacements in cells of 8x8.

    The frames come as planes; "mixed", which a convolution makes of them, has channels last.
    """
    rng = np.random.default_rng(3)
    constants = {
        "gain": np.float32(1.5),
        "predict": rng.standard_normal((4 * 8**2, 3, 8, 8), np.float32) / 14,
        "mix": rng.random((3, 3, 1, 1), np.float32) / 2,
        "head": rng.standard_normal((4, 2, 4, 4), np.float32) / 6,
        "identity": np.eye(2, dtype=np.float32)[:, :, None, None],
        "zeros": np.zeros(2, np.float32),
        **{name: np.int64(value) for name, value in (("start", 0), ("stop", 2**63 - 1), ("axis", 1), ("step", 2))},
        "list": np.array([-1]),
    }
    wrapped = [
        helper.make_node(kind, [*inputs, *others], [output], **attributes)
        for name in ("start", "stop", "axis", "step")
        for kind, inputs, others, output, attributes in (
            ("Cast", [name], [], f"{name} cast", {"to": TensorProto.INT64}),
            ("Reshape", [f"{name} cast"], ["list"], f"{name} list", {}),
        )
    ]
    nodes = [
        *wrapped,
        helper.make_node("Mul", ["window", "gain"], ["frames"]),
        helper.make_node("Conv", ["frames", "mix"], ["mixed"]),
        helper.make_node("Slice", [planes, "start list", "stop list", "axis list", "step list"], ["neighbors"]),
        helper.make_node("Conv", ["frames", "predict"], ["cells"], strides=[8, 8]),
        helper.make_node("DepthToSpace", ["cells"], ["displacement"], blocksize=8, mode="CRD"),
        helper.make_node("DeformConv", ["neighbors", "identity", "displacement", "zeros"], ["warped"], offset_group=2),
        helper.make_node("Conv", ["warped", "head"], ["y"], strides=[4, 4]),
    ]
    graph = helper.make_graph(
        nodes,
        "aligned",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return model.SerializeToString(), {"window": rng.random((1, 3, 64, 96), np.float32)}


@pytest.mark.parametrize("planes", ["frames", "mixed"])
@pytest.mark.parametrize("precision, atol", [("f32", 2 * ATOL), ("bf16", BF16_ATOL)])
def test_a_warp_reads_frames_and_cells_in_place(planes, precision, atol):
    model, feeds = aligned(planes)
    types = op_types(read(model, precision)[1])
    assert WARP in types and not {"Slice", "DepthToSpace"} & set(types)
    y = compiled(model, precision)(feeds)[0]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(y, session.run(None, feeds)[0], atol=atol, rtol=0)


@pytest.mark.parametrize("planes", ["frames", "mixed"])
def test_nothing_is_copied_for_a_warp_in_bf16(planes):
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16 convolutions")
    model, feeds = aligned(planes)
    core, network = read(model, "bf16")
    network.reshape(feeds["window"].shape)
    request = core.compile_model(
        network, "CPU", {"INFERENCE_PRECISION_HINT": "bf16", "PERF_COUNT": True}
    ).create_infer_request()
    request.infer(feeds)
    executed = [p.node_type for p in request.profiling_info if p.status == p.Status.EXECUTED]
    assert executed.count("Reference") == 1
    # the frames and what is warped of them are made channels last for convolutions, y is made planes
    assert executed.count("Reorder") + executed.count("Transpose") == 3


def in_cells_of_another_order(case, block):
    """Return a model whose offsets are DepthToSpace, DCR, of an input: a cell's pixels are far apart in memory."""
    channels, height, width = case.tensors["offset"].shape[1:]
    cells = case.tensors["offset"].reshape(1, channels, height // block, block, width // block, block)
    cells = cells.transpose(0, 3, 5, 1, 2, 4).reshape(1, -1, height // block, width // block)
    nodes = [
        helper.make_node("DepthToSpace", ["cells"], ["offset"], blocksize=block, mode="DCR"),
        helper.make_node("DeformConv", ["x", "weight", "offset", "bias"], ["y"], **case.attributes),
    ]
    graph = helper.make_graph(
        nodes,
        "cells",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
            for name, array in (("x", case.tensors["x"]), ("cells", cells))
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(case.tensors[name], name) for name in ("weight", "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    return model.SerializeToString(), {"x": case.tensors["x"], "cells": cells}


def test_cells_of_another_order_are_not_read_in_place():
    case = identity(make_case(2, 1, 16, 24), ["mask"])
    model, feeds = in_cells_of_another_order(case, 8)
    assert {WARP, "DepthToSpace"} <= set(op_types(read(model)[1]))
    np.testing.assert_allclose(compiled(model)(feeds)[0], case.reference(), atol=ATOL, rtol=0)


@pytest.mark.parametrize("precision, atol", [("f32", ATOL), ("bf16", BF16_ATOL)])
def test_without_a_compiler_the_builtin_operation_takes_over_and_says_so(precision, atol, monkeypatch, caplog):
    def broken():
        raise ImportError("No module named 'llvmlite'")

    monkeypatch.setattr(openvino_extension, "check_compiler", broken)
    case = make_case(3, 3, 9, 11)
    with caplog.at_level(logging.WARNING):
        assert BUILTIN in op_types(read(case.model(), precision)[1])
    assert "built-in operation" in caplog.text and "No module named 'llvmlite'" in caplog.text
    assert why_builtin() == "ImportError: No module named 'llvmlite'"
    np.testing.assert_allclose(run(case, precision), case.reference(), atol=atol, rtol=0)


def test_here_the_sampler_works():
    assert why_builtin() is None


def test_importing_compiles_nothing():
    check = "import sys, plugins.deform_conv.openvino_extension; sys.exit('llvmlite' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_requests_may_run_at_the_same_time_after_everything_else_is_gone():
    case = make_case(8, 3, 40, 50)
    model = compiled(case.model(), NUM_STREAMS=2)
    requests, results = [model.create_infer_request() for _ in range(2)], {}
    del model

    def infer(index):
        for _ in range(5):
            results[index] = requests[index].infer(case.feeds())[0].copy()

    threads = [threading.Thread(target=infer, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(2):
        np.testing.assert_allclose(results[index], case.reference(), atol=ATOL, rtol=0)


def test_offsets_of_another_size_are_an_error_and_no_crash():
    case = make_case(3, 3, 9, 11)
    model = compiled(case.model())
    feeds = case.feeds() | {name: case.tensors[name][:, :, :-1] for name in ("offset", "mask")}
    with pytest.raises(RuntimeError, match=r"offset is \[1, 8, 11, 54\], not \[1, 9, 11, 54\]"):
        model(feeds)


def test_a_weight_of_unknown_size_is_refused():
    model = onnx.load_from_string(make_case(3, 3, 9, 11).model())
    weight = model.graph.initializer[0]
    model.graph.input.append(helper.make_tensor_value_info(weight.name, TensorProto.FLOAT, ["o", "i", "h", "w"]))
    del model.graph.initializer[0]
    with pytest.raises(RuntimeError, match=r"DeformConv needs .* a weight of known size"):
        read(model.SerializeToString())


@pytest.mark.parametrize("name, channels, n_left", [("offset", 54, 52), ("x", 3, 2), ("mask", 27, 26)])
def test_an_input_of_too_few_channels_is_refused(name, channels, n_left):
    case = make_case(3, 3, 9, 11)
    case.tensors[name] = case.tensors[name][:, :n_left]
    with pytest.raises(RuntimeError, match=rf"DeformConv's {name} is \[1,{n_left},.*, but needs {channels} channels"):
        read(case.model())
