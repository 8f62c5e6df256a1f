import numpy as np
import pytest

from cvqe.errors import ModelError, ShapeError
from plugins.deform_conv.plugin_node import (
    NodeAttributes,
    attributes_from_arrays,
    check_sizes,
    dtype_of_node,
    problem_of_node,
)
from plugins.deform_conv.problem import Problem

SAME_3X3 = NodeAttributes(kernel_shape=(3, 3), pads=(1, 1, 1, 1), offset_group=4)
SHAPES = ((1, 4, 20, 30), (8, 4, 3, 3), (1, 72, 20, 30), (8,), (1, 36, 20, 30))


def int32(*numbers):
    return np.array(numbers, np.int32)


def test_absent_attributes_have_onnx_defaults():
    assert attributes_from_arrays({}) == NodeAttributes((), (1, 1), (1, 1), (0, 0, 0, 0), 1, 1, 0, 0)


def test_attributes_are_read_from_integer_arrays():
    arrays = {"pads": int32(1, 2, 3, 4), "strides": int32(2, 1), "offset_group": int32(5), "mask_logits": int32(1)}
    expected = NodeAttributes(pads=(1, 2, 3, 4), strides=(2, 1), offset_group=5, mask_logits=1)
    assert attributes_from_arrays(arrays) == expected


@pytest.mark.parametrize(
    "arrays, complaint",
    [
        ({"mode": int32(1)}, "attribute mode is unknown"),
        ({"group": np.array([1.0], np.float32)}, r"attribute group is \[1.0\], not made of integers"),
        ({"pads": int32(1, 1)}, r"attribute pads is \[1, 1\]; 4 numbers were expected"),
        ({"strides": int32(1, 1, 1)}, "2 numbers were expected"),
        ({"group": int32()}, "1 numbers were expected"),
    ],
)
def test_attributes_that_do_not_belong_are_named(arrays, complaint):
    with pytest.raises(ModelError, match=complaint):
        attributes_from_arrays(arrays)


@pytest.mark.parametrize("tensorrt_name, dtype", [("HALF", "fp16"), ("FLOAT", "fp32")])
def test_half_and_float_are_taken(tensorrt_name, dtype):
    assert dtype_of_node(NodeAttributes(), [tensorrt_name] * 5) == dtype


@pytest.mark.parametrize(
    "types, complaint",
    [
        (["BF16"] * 4, "inputs are BF16"),
        (["INT8"] * 4, "inputs are INT8"),
        (["HALF", "HALF", "FLOAT", "HALF"], "x HALF, weight HALF, offset FLOAT, bias HALF"),
        (["HALF"] * 3, "has 3 inputs.*export a bias"),
        (["HALF"] * 6, "has 6 inputs"),
    ],
)
def test_types_without_a_kernel_are_refused(types, complaint):
    with pytest.raises(ModelError, match=complaint):
        dtype_of_node(NodeAttributes(), types)


@pytest.mark.parametrize(
    "attributes, n_inputs", [(NodeAttributes(packed=1, mask_logits=1), 5), (NodeAttributes(mask_logits=1), 4)]
)
def test_logits_and_packed_say_how_many_inputs_there_are(attributes, n_inputs):
    with pytest.raises(ModelError, match=f"has {n_inputs} inputs"):
        dtype_of_node(attributes, ["HALF"] * n_inputs)


def test_a_problem_takes_its_channels_from_the_shapes():
    expected = Problem(4, 8, (3, 3), pads=(1, 1, 1, 1), offset_group=4, mask="values", dtype="fp32")
    assert problem_of_node(SAME_3X3, "fp32", SHAPES) == expected
    assert problem_of_node(SAME_3X3, "fp32", SHAPES[:4]).mask == "none"


def test_a_packed_tensor_holds_offsets_and_logits():
    attributes = NodeAttributes(pads=(1, 1, 1, 1), offset_group=4, packed=1, mask_logits=1)
    problem = problem_of_node(attributes, "fp16", (SHAPES[0], SHAPES[1], (1, 108, 20, 30), SHAPES[3]))
    assert (problem.mask, problem.packed) == ("logits", True)


def test_frame_sizes_may_be_free():
    free = [(-1, 4, -1, -1), SHAPES[1], (-1, 72, -1, -1), SHAPES[3]]
    assert problem_of_node(SAME_3X3, "fp16", free) == problem_of_node(SAME_3X3, "fp16", SHAPES[:4])


@pytest.mark.parametrize("index, shape", [(0, (1, -1, 20, 30)), (1, (-1, 4, 3, 3)), (1, (8, 4, -1, 3))])
def test_channels_may_not_be_free(index, shape):
    shapes = [shape if place == index else known for place, known in enumerate(SHAPES)]
    with pytest.raises(ModelError, match="must be fixed"):
        problem_of_node(SAME_3X3, "fp16", shapes)


@pytest.mark.parametrize(
    "index, shape, complaint",
    [
        (0, (1, 4, 20), r"x is \[1, 4, 20\]; it must have 4 dimensions"),
        (1, (8, 4, 3, 3, 3), "weight .* must have 4 dimensions"),
        (0, (1, 8, 20, 30), "x has 8 channels, weight is"),
        (1, (8, 4, 5, 5), r"kernel_shape is \[3, 3\], but weight is \[8, 4, 5, 5\]"),
        (2, (1, 36, 20, 30), r"offset is \[1, 36, 20, 30\], not \[1, 72, 20, 30\]"),
        (2, (1, 72, 18, 28), r"offset is \[1, 72, 18, 28\], not \[1, 72, 20, 30\]"),
        (2, (2, 72, 20, 30), "offset is"),
        (2, (1, 36, -1, -1), r"offset is \[1, 36, \?, \?\], not"),
        (3, (9,), "bias has 9 elements"),
        (4, (1, 37, 20, 30), "mask is"),
    ],
)
def test_shapes_that_contradict_each_other_are_named(index, shape, complaint):
    shapes = [shape if place == index else known for place, known in enumerate(SHAPES)]
    with pytest.raises(ShapeError, match=complaint):
        problem_of_node(SAME_3X3, "fp16", shapes)


def test_attributes_that_contradict_the_shapes_are_named():
    with pytest.raises(ShapeError, match="offset_group 3"):
        problem_of_node(NodeAttributes(pads=(1, 1, 1, 1), offset_group=3), "fp16", SHAPES)
    with pytest.raises(ShapeError, match="strides"):
        problem_of_node(NodeAttributes(strides=(0, 1)), "fp16", SHAPES)


def test_strides_and_dilations_decide_the_size_of_the_output():
    attributes = NodeAttributes(strides=(2, 2), dilations=(2, 1), pads=(2, 1, 2, 1))
    shapes = ((1, 4, 21, 30), (8, 4, 3, 3), (1, 18, 11, 15), (8,))
    assert problem_of_node(attributes, "fp16", shapes).out_size(21, 30) == (11, 15)


def test_sizes_of_a_run_are_compared_with_the_problem():
    problem = problem_of_node(SAME_3X3, "fp16", SHAPES)
    check_sizes(problem, ((2, 4, 8, 8), (8, 4, 3, 3), (2, 72, 8, 8), (8,), (2, 36, 8, 8)))
    with pytest.raises(ShapeError, match=r"mask is \[2, 36, 8, 9\], not \[2, 36, 8, 8\]"):
        check_sizes(problem, ((2, 4, 8, 8), (8, 4, 3, 3), (2, 72, 8, 8), (8,), (2, 36, 8, 9)))
