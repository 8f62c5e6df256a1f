"""Post-training quantisers of ONNX files by others, each called in the same way.

Each takes a network, what it is fed, and the names of the convolutions to round, None where the library is to choose;
each returns a network with Q and DQ nodes. Activations are symmetric and weights have one scale a channel wherever the
library lets one ask for that.
"""

import re
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static

from benchmarks.calibration_reader import CalibrationReader
from benchmarks.optional_library import optional_library
from calibration.activations import Feeds

NNCF, MODELOPT = "nncf==3.4.0", "nvidia-modelopt[onnx]==0.47.0"
CONV = ["Conv"]
Quantise = Callable[[onnx.ModelProto, Sequence[Feeds], Collection[str] | None], onnx.ModelProto]

SYMMETRIC = {"ActivationSymmetric": True, "CalibTensorRangeSymmetric": True}
STEPWISE = {"CalibStridedMinMax": 1}  # of any calibrator: samples differ in size, and are not all kept
ONLY_INPUTS = {"OpTypesToExcludeOutputQuantization": CONV, "QuantizeBias": False}


def by_onnxruntime(method: CalibrationMethod, **options: float) -> Quantise:
    """Quantise with onnxruntime.quantization; left to itself it rounds what a convolution returns, and its bias, too.

    Args:
        options: of its calibrator, as CalibPercentile.
    """

    def quantise(model: onnx.ModelProto, samples: Sequence[Feeds], nodes: Collection[str] | None) -> onnx.ModelProto:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "quantised.onnx"
            quantize_static(
                model,
                path,
                CalibrationReader(samples),
                op_types_to_quantize=CONV,
                nodes_to_quantize=None if nodes is None else list(nodes),
                per_channel=True,
                activation_type=QuantType.QInt8,
                calibrate_method=method,
                extra_options={**SYMMETRIC, **STEPWISE, **({} if nodes is None else ONLY_INPUTS), **options},
            )
            return onnx.load(path)

    return quantise


def by_nncf(preset: str) -> Quantise:
    """Quantise with NNCF for a CPU: min-max, smoothing and bias correction as it chooses.

    Args:
        preset: "mixed" or "performance", its default.
    """

    def quantise(model: onnx.ModelProto, samples: Sequence[Feeds], nodes: Collection[str] | None) -> onnx.ModelProto:
        nncf = optional_library("nncf", NNCF)
        others = [] if nodes is None else [node.name for node in model.graph.node if node.name not in nodes]
        return nncf.quantize(
            model,
            nncf.Dataset(list(samples)),
            preset=nncf.QuantizationPreset(preset),
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(samples),
            ignored_scope=nncf.IgnoredScope(names=others, validate=False),  # it looks past nodes that tell sizes
        )

    return quantise


def by_modelopt(method: str) -> Quantise:
    """Quantise with NVIDIA ModelOpt on the CPU; it changes onnxruntime.quantization in the running process.

    Args:
        method: "max" or "entropy".
    """

    def quantise(model: onnx.ModelProto, samples: Sequence[Feeds], nodes: Collection[str] | None) -> onnx.ModelProto:
        modelopt = optional_library("modelopt.onnx.quantization", MODELOPT)
        # its names are patterns, of which the beginning of a name is enough
        patterns = None if nodes is None else [f"{re.escape(name)}$" for name in nodes]
        with tempfile.TemporaryDirectory() as folder:
            source, path = Path(folder) / "network.onnx", Path(folder) / "quantised.onnx"
            onnx.save(model, source)
            modelopt.quantize(
                str(source),
                "int8",
                calibration_data_reader=CalibrationReader(samples),
                calibration_method=method,
                calibration_eps=["cpu"],
                op_types_to_quantize=CONV,
                nodes_to_quantize=patterns,
                high_precision_dtype="fp32",
                dq_only=True,  # weights are stored rounded
                output_path=str(path),
                log_level="WARNING",
            )
            return onnx.load(path)

    return quantise
