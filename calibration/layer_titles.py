"""What a convolution is called in the network: the module whose weights it reads, not its number in the graph."""

from collections import Counter
from collections.abc import Iterator

import onnx

from calibration.graph_view import GraphView


def layer_titles(model: onnx.ModelProto) -> dict[str, str]:
    """Return a title for each convolution by node name, as "body.0.first"; of those that share a module, with the node.

    Args:
        model: as exported: its weights have the state dict's names, whatever is computed from them.
    """
    view = GraphView(model.graph)
    layers = [node for node in view.nodes if node.op_type in ("Conv", "ConvTranspose")]
    modules = {node.name: next(modules_behind(view, node.input[1]), "") for node in layers}
    shared = Counter(modules.values())
    return {name: _title(name, module, shared[module] > 1) for name, module in modules.items()}


def modules_behind(view: GraphView, name: str) -> Iterator[str]:
    """Yield the modules whose parameters a tensor is computed from."""
    waiting, seen = [name], {name}
    while waiting:
        current = waiting.pop(0)
        if current in view.constants and "." in current:
            yield current.rpartition(".")[0]
        producer = view.producer.get(current)
        new = [each for each in producer.input if each not in seen] if producer else []
        waiting += new
        seen.update(new)


def _title(name: str, module: str, is_shared: bool) -> str:
    if not module:
        return name
    return f"{module} ({name})" if is_shared else module
