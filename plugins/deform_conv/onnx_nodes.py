"""Our own node in an ONNX graph, CvqeDeformConv: the standard's inputs and attributes, and two attributes more.

    standard   Conv -> Split -> offset --------------------> DeformConv(x, weight, offset, bias, mask)
                            \\-> logits -> Sigmoid -> mask --/
    fused      Conv -> packed --> CvqeDeformConv(x, weight, packed, bias), packed = 1, mask_logits = 1

`mask_logits`: the mask is given before its sigmoid. `packed`: offset and mask logits are one tensor [N, 3*G*K, H', W'],
offsets first, as one convolution writes them. Offsets and mask are most of what a deformable convolution reads, and
fused they are written once and read once; the split and the sigmoid write and read them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from onnx import helper, numpy_helper

from plugins.deform_conv.node_facts import (
    BIAS,
    CUSTOM,
    CUSTOM_DOMAIN,
    CUSTOM_OPSET,
    MASK,
    OFFSET,
    ValueType,
    attributes_of,
    is_custom,
    is_standard,
    problem_from_node,
    value_types,
)

CHANNELS = 1  # the axis


def with_custom_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose DeformConv nodes are CvqeDeformConv nodes of domain "cvqe": same inputs, same attributes."""
    renamed = onnx.ModelProto()
    renamed.CopyFrom(model)
    for node in renamed.graph.node:
        if is_standard(node):
            node.op_type, node.domain = CUSTOM, CUSTOM_DOMAIN
    _import_domain(renamed)
    return renamed


def with_fused_masks(model: onnx.ModelProto) -> tuple[onnx.ModelProto, int]:
    """Let deformable convolutions read mask logits, and offset and logits in one tensor where a graph has them so.

    The same computation; in half precision the mask is no longer rounded on its way. Only the plugin runs the result.

    Args:
        model: with DeformConv or CvqeDeformConv nodes; is left as it is.

    Returns:
        a copy, and how many of its nodes read logits now. A Sigmoid, Split or Slice that others read stays.
    """
    fused = onnx.ModelProto()
    fused.CopyFrom(model)
    types, sources = value_types(fused), _Sources(fused.graph)
    n_fused = sum(_fuse(node, types, sources) for node in fused.graph.node)
    if n_fused:
        _drop_unread(fused.graph)
        _import_domain(fused)
    return fused, n_fused


def _fuse(node: onnx.NodeProto, types: Mapping[str, ValueType], sources: "_Sources") -> bool:
    is_ours = is_custom(node) and not attributes_of(node).get("mask_logits")
    if not (is_standard(node) or is_ours) or len(node.input) <= MASK:
        return False
    sigmoid = sources.producer(node.input[MASK], "Sigmoid")
    if sigmoid is None:
        return False
    logits = sigmoid.input[0]
    packed = _packed(node, logits, types, sources)
    if packed is None:
        node.input[MASK] = logits
    else:
        node.input[:] = [*node.input[:OFFSET], packed, node.input[BIAS]]
    added = {"mask_logits": 1, "packed": int(packed is not None)}
    kept = [attribute for attribute in node.attribute if attribute.name not in added]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in added.items())])
    node.op_type, node.domain = CUSTOM, CUSTOM_DOMAIN
    return True


def _packed(node: onnx.NodeProto, logits: str, types: Mapping[str, ValueType], sources: "_Sources") -> str | None:
    """Return the tensor that is offset and logits, in this order and nothing else; None where there is none."""
    offset, mask = sources.channels_of(node.input[OFFSET]), sources.channels_of(logits)
    if offset is None or mask is None or offset.source != mask.source or not node.input[BIAS]:
        return None
    n_mask = problem_from_node(node, types).mask_channels
    source = types.get(offset.source)
    if source is None or len(source.shape) != 4 or source.shape[CHANNELS] != 3 * n_mask:
        return None
    is_whole = offset.within(3 * n_mask) == (0, 2 * n_mask) and mask.within(3 * n_mask) == (2 * n_mask, 3 * n_mask)
    return offset.source if is_whole else None


@dataclass(frozen=True)
class _Channels:
    """A tensor that is channels `first` to `last` of another; both as in a Python slice."""

    source: str
    first: int
    last: int

    def within(self, n_channels: int) -> tuple[int, int]:
        """Return first and last as numbers from 0 to n_channels."""
        first, last, _ = slice(self.first, self.last).indices(n_channels)
        return first, last


class _Sources:
    """Which node of a graph writes a tensor, and which channels of another tensor it is."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._producers = {name: node for node in graph.node for name in node.output if name}
        self._stored = {tensor.name: tensor for tensor in graph.initializer}

    def producer(self, name: str, op_type: str) -> onnx.NodeProto | None:
        """Return the standard's node of this kind that writes a tensor, None where another one or no node does."""
        node = self._producers.get(name)
        is_one = node is not None and node.op_type == op_type and node.domain in ("", "ai.onnx")
        return node if is_one else None

    def channels_of(self, name: str) -> _Channels | None:
        """Return what a Split or Slice of channels took; None where a tensor is no such part."""
        if (split := self.producer(name, "Split")) is not None:
            return self._part_of_split(split, name)
        if (cut := self.producer(name, "Slice")) is not None:
            return self._part_of_slice(cut)
        return None

    def _part_of_split(self, split: onnx.NodeProto, name: str) -> _Channels | None:
        sizes = self._integers(split.input[1]) if len(split.input) > 1 and split.input[1] else None
        if sizes is None or attributes_of(split).get("axis", 0) != CHANNELS:
            return None
        place = list(split.output).index(name)
        return _Channels(split.input[0], sum(sizes[:place]), sum(sizes[: place + 1]))

    def _part_of_slice(self, cut: onnx.NodeProto) -> _Channels | None:
        places = [self._integers(name) for name in cut.input[1:]]
        if len(places) < 3 or places[2] != [CHANNELS] or places[3:] not in ([], [[1]]):
            return None
        if places[0] is None or places[1] is None:
            return None
        return _Channels(cut.input[0], places[0][0], places[1][0])

    def _integers(self, name: str) -> list[int] | None:
        """Return a constant's values, None where it is computed."""
        if name in self._stored:
            return [int(number) for number in numpy_helper.to_array(self._stored[name]).ravel()]
        constant = self.producer(name, "Constant")
        if constant is None:
            return None
        (value,) = attributes_of(constant).values()
        numbers = numpy_helper.to_array(value).ravel() if isinstance(value, onnx.TensorProto) else value
        return [int(number) for number in numbers]


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Take out every node whose outputs nobody reads, and what only such nodes read, in place."""
    nodes = list(graph.node)
    while True:
        read = {value.name for value in graph.output}.union(*map(_names_read, nodes))
        kept = [node for node in nodes if not read.isdisjoint(node.output)]
        if len(kept) == len(nodes):
            break
        nodes = kept
    stored = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(stored)


def _names_read(node: onnx.NodeProto) -> set[str]:
    """Return what a node reads, in the branches and loop bodies it holds too."""
    bodies = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    outputs = {value.name for body in bodies for value in body.output}
    return set(node.input) | outputs.union(*(_names_read(inner) for body in bodies for inner in body.node))


def _import_domain(model: onnx.ModelProto) -> None:
    if all(opset.domain != CUSTOM_DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(CUSTOM_DOMAIN, CUSTOM_OPSET))
