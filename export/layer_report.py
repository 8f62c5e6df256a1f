"""What an engine's layers are: the network's before they are fused, anywhere; the engine's own, where a GPU is."""

import json
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from cvqe.engine_manifest import shape_text

FREE = -1


def network_layers(network: Any) -> Iterator[dict[str, Any]]:
    """Yield the layers of an INetworkDefinition: name, type, and each output's shape and type.

    A size that the engine leaves open is -1.
    """
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        outputs = [layer.get_output(place) for place in range(layer.num_outputs)]
        yield {
            "name": layer.name,
            "type": layer.type.name,
            "outputs": [
                {"name": tensor.name, "shape": list(_dims(tensor)), "dtype": tensor.dtype.name} for tensor in outputs
            ],
        }


def engine_layers(trt: ModuleType, engine: Any) -> dict[str, Any]:
    """Return what IEngineInspector tells of a deserialized engine: the layers as they run.

    Types, shapes and tactics are told of engines built with --profilingVerbosity=detailed; else names alone.
    """
    told = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    layers: dict[str, Any] = json.loads(told)
    return layers


def layer_table(layers: Sequence[dict[str, Any]]) -> str:
    """Lay network layers out as a table for people."""
    rows = [
        (layer["type"], ", ".join(f"{shape_text(tuple(out['shape']))} {out['dtype']}" for out in layer["outputs"]))
        for layer in layers
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return "\n".join(
        f"{kind:{widths[0]}}  {shape:{widths[1]}}  {layer['name']}"
        for (kind, shape), layer in zip(rows, layers, strict=True)
    )


def _dims(tensor: Any) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in tensor.shape)
    except ValueError:  # the rank itself is not known
        return (FREE,)
