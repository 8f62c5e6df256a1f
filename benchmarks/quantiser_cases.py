"""The ways to an INT8 file that are compared: who writes it, how activations are observed, where Q and DQ go."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnxruntime.quantization import CalibrationMethod

from benchmarks.library_quantisers import Quantise, by_modelopt, by_nncf, by_onnxruntime
from calibration.activations import Feeds
from calibration.folded import folded_model
from calibration.formats import FORMATS
from calibration.observers import OBSERVERS, PERCENTILE
from calibration.placement import place
from calibration.quantiser import BIAS, EQUALISE, RECOVERIES, ROUNDING, QuantiserOptions, prepare

OWN, DEFAULT = "calibration/", FORMATS["int8"].observer
ITS_CHOICE, OUR_CHOICE = "its own", "calibration/placement.py"


@dataclass(frozen=True)
class QuantiserCase:
    """One way.

    Attributes:
        library: a distribution's name, or OWN.
        placement: who chooses the convolutions, ITS_CHOICE or OUR_CHOICE.
    """

    library: str
    method: str
    placement: str
    quantise: Quantise

    def __str__(self) -> str:
        return f"{self.library}, {self.method}; {self.placement}"


def own_case(observer: str, *recovery: str) -> QuantiserCase:
    """Quantise with calibration/, on its own placement."""

    def quantise(model: onnx.ModelProto, samples: Sequence[Feeds], _: Collection[str] | None) -> onnx.ModelProto:
        return prepare(model, samples, QuantiserOptions(observer=observer, recovery=recovery)).quantised()

    return QuantiserCase(OWN, ", ".join((observer, *recovery)), OUR_CHOICE, quantise)


def own_cases() -> list[QuantiserCase]:
    """Return ours: plain, with the observer that is the default, and with all that is."""
    return [own_case("min-max"), own_case(DEFAULT), own_case(DEFAULT, *QuantiserOptions.recovery)]


def recovery_cases() -> list[QuantiserCase]:
    """Return ours by each observer, and with each recovery alone and together, by the observer that is the default."""
    recoveries = [(EQUALISE,), (ROUNDING,), (BIAS,), (EQUALISE, ROUNDING), RECOVERIES]
    return [*map(own_case, OBSERVERS), *(own_case(DEFAULT, *recovery) for recovery in recoveries)]


def library_cases() -> list[QuantiserCase]:
    """Return those of others: each library on its own placement, and every method on ours.

    Without ONNX Runtime's entropy, which is ModelOpt's default: on samples like these its histograms grow so long that
    their search, in Python, was stopped after minutes.
    """
    percentile = by_onnxruntime(CalibrationMethod.Percentile, CalibPercentile=PERCENTILE)
    methods: dict[str, dict[str, Quantise]] = {  # by library, the one that it is left alone with first
        "onnxruntime": {
            "min-max": by_onnxruntime(CalibrationMethod.MinMax),
            f"percentile {PERCENTILE}": percentile,
        },
        "nncf": {"performance": by_nncf("performance"), "mixed": by_nncf("mixed")},
        # the last: with it onnxruntime.quantization is no longer what it was
        "nvidia-modelopt": {"max": by_modelopt("max")},
    }
    return [case for library, own in methods.items() for case in _cases_of(library, own)]


def _cases_of(library: str, methods: Mapping[str, Quantise]) -> Iterator[QuantiserCase]:
    first = next(iter(methods))
    yield QuantiserCase(library, first, ITS_CHOICE, methods[first])
    for method, quantise in methods.items():
        yield QuantiserCase(library, method, OUR_CHOICE, quantise)


def quantised_by(case: QuantiserCase, exported: onnx.ModelProto, samples: Sequence[Feeds]) -> onnx.ModelProto:
    """Quantise a network as exported.

    Raises:
        MissingLibraryError: the library is not here.
    """
    nodes = None if case.placement == ITS_CHOICE else place(folded_model(exported)).quantised
    model = exported if case.library == OWN else without_constant_nodes(folded_model(exported))
    return case.quantise(model, samples, nodes)


def without_constant_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Turn Constant nodes into initialisers, in place, where NNCF looks for every bias; returns the model."""
    graph = model.graph
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        if node.op_type == "Constant":
            graph.initializer.add().CopyFrom(node.attribute[0].t)
            graph.initializer[-1].name = node.output[0]
        else:
            graph.node.append(node)
    return model
