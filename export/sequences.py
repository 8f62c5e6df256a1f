"""The exporter's sequences of tensors as plain Split nodes, which every backend reads; TensorRT reads no sequences.

SplitToSequence -> SequenceAt 0, SequenceAt 1, ...   becomes   Split -> 0, 1, ...
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper


def sequences_to_splits(graph: onnx.GraphProto) -> int:
    """Replace every sequence of told sizes that is only ever indexed with constants, in place.

    Returns:
        how many were replaced; one that is used in another way is left as it is.
    """
    sequences = {node.output[0]: node for node in graph.node if node.op_type == "SplitToSequence"}
    readers: dict[str, list[onnx.NodeProto]] = {name: [] for name in sequences}
    for node in graph.node:
        for name in node.input:
            readers.get(name, []).append(node)
    constants = _whole_numbers(graph)
    splits = {name: _split(node, readers[name], constants) for name, node in sequences.items()}
    becomes = {node.SerializeToString(): splits[name] for name, node in sequences.items() if splits[name]}
    gone = {reader.output[0] for name, split in splits.items() if split for reader in readers[name]}
    kept = [node for node in graph.node if node.output[0] not in gone]
    nodes = [becomes.get(node.SerializeToString(), node) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)
    return len(becomes)


def _split(
    sequence: onnx.NodeProto, readers: list[onnx.NodeProto], constants: Mapping[str, list[int]]
) -> onnx.NodeProto | None:
    """Return the Split whose parts go by the names that their readers gave them; None where there can't be one."""
    sizes = constants.get(sequence.input[1], []) if len(sequence.input) > 1 else []
    numbers = [constants.get(node.input[1]) for node in readers if node.op_type == "SequenceAt"]
    if not sizes or len(numbers) != len(readers) or None in numbers:
        return None
    parts = [f"{sequence.output[0]}/{number}" for number in range(len(sizes))]
    for node in readers:
        parts[constants[node.input[1]][0]] = node.output[0]
    axis = next((attribute.i for attribute in sequence.attribute if attribute.name == "axis"), 0)
    return helper.make_node("Split", list(sequence.input), parts, name=sequence.name, axis=axis)


def _whole_numbers(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """Return the values of every constant tensor of one dimension at most that holds integers, by its name."""
    tensors = {
        node.output[0]: numpy_helper.to_array(attribute.t)
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    return {
        name: [int(value) for value in values.flat]
        for name, values in tensors.items()
        if values.dtype == np.int64 and values.ndim <= 1
    }
