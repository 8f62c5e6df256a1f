import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from export.folding import fold_constants


def constant(name, value):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def model_of(nodes, outputs, initializers=()):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "m"])
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "g", [x], results, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


def run(model, x):
    return ReferenceEvaluator(model).run(None, {"x": x})[0]


def test_axes_that_were_computed_become_a_constant():
    nodes = [
        constant("axes", np.array([[1]], np.int64)),
        constant("flat", np.array([-1], np.int64)),
        helper.make_node("Reshape", ["axes", "flat"], ["axes_flat"]),
        helper.make_node("ReduceMean", ["x", "axes_flat"], ["y"], keepdims=0),
    ]
    model = model_of(nodes, ["y"])
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    before = run(model, x)
    assert fold_constants(model.graph) == 1
    assert [node.op_type for node in model.graph.node] == ["Constant", "ReduceMean"]
    np.testing.assert_array_equal(run(model, x), before)


def test_weights_stay_but_their_shapes_are_taken():
    weight = numpy_helper.from_array(np.ones((3, 2), np.float32), "weight")
    nodes = [
        helper.make_node("Shape", ["weight"], ["size"]),
        constant("zero", np.zeros(1, np.float32)),
        helper.make_node("Expand", ["zero", "size"], ["zeros"]),
        helper.make_node("Sub", ["weight", "zeros"], ["same"]),
        helper.make_node("MatMul", ["x", "same"], ["y"]),
    ]
    model = model_of(nodes, ["y"], [weight])
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    before = run(model, x)
    assert fold_constants(model.graph) == 2
    assert [node.op_type for node in model.graph.node] == ["Constant", "Sub", "MatMul"]
    assert [tensor.name for tensor in model.graph.initializer] == ["weight"]
    np.testing.assert_array_equal(run(model, x), before)


def test_what_depends_on_the_input_and_constants_that_are_outputs_stay():
    nodes = [
        constant("one", np.ones(1, np.float32)),
        constant("unread", np.ones(1, np.float32)),
        helper.make_node("Add", ["one", "one"], ["two"]),
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Expand", ["two", "size"], ["y"]),
    ]
    model = model_of(nodes, ["y", "two"])
    assert fold_constants(model.graph) == 1
    assert [node.op_type for node in model.graph.node] == ["Constant", "Shape", "Expand"]
    y, two = ReferenceEvaluator(model).run(None, {"x": np.zeros((2, 2), np.float32)})
    assert (y == 2).all() and y.shape == (2, 2) and two == 2
