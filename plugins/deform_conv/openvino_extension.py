"""ONNX DeformConv inside OpenVINO, from a model file or from memory.

    core = openvino.Core()
    core.add_extension(extensions("bf16"))
    model = core.read_model("network.onnx")

    x, offset, mask -> to bfloat16 -> channels last -> SampleTaps -> channels first -> 1x1 convolution -> + bias
    few planes, one tap each:                          WarpPlanes -> nothing more, where the weights are the identity

Changing type and layout costs nothing there: OpenVINO's own convolutions work in bfloat16 and channels last. Where this
path can't go (no llvmlite, fewer offset groups than channels) OpenVINO's built-in operation goes, and the log says so.
"""

import functools
import logging
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import openvino.opset13 as ops
from openvino.frontend import ConversionExtension

from cvqe.errors import ShapeError
from plugins.deform_conv.openvino_op import SampleTaps
from plugins.deform_conv.openvino_source import (
    arrives_in_planes,
    cells_source,
    channels_of,
    channels_source,
    constant,
    range_source,
)
from plugins.deform_conv.openvino_warp import WarpPlanes
from plugins.deform_conv.sampler import Geometry, MaskKind, Sampler, allowed_cpus, check_compiler, shared_sampler
from plugins.deform_conv.warper import Channels, Warp

Precision = Literal["f32", "bf16"]

LOG = logging.getLogger(__name__)
CHANNELS_LAST, CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
# with 1 plane WarpPlanes takes a quarter of SampleTaps' time, with 8 planes three quarters
MAX_PLANES = 8


def extensions(precision: Precision = "f32", n_threads: int | None = None) -> list[Any]:
    """Return what `core.add_extension` needs before `core.read_model`.

    Args:
        precision: the INFERENCE_PRECISION_HINT the model will be compiled with. Coordinates are exact in both. A model
            compiled with the other one still runs right, only slower: tensors are converted on the way.
        n_threads: threads that sample, the calling one included; None is one for each processor this process may use.
            Give it what INFERENCE_NUM_THREADS gets.

    Reshape the model to the frame size before compiling it: with height and width left free, OpenVINO copies every
    tensor around the sampler, and 2026.4 loses 11 kB in each inference.
    """

    @functools.cache
    def sampler() -> Sampler | None:
        # at the first node: a network without one needs no compiler and hears no warning
        reason = why_builtin()
        if reason:
            LOG.warning("DeformConv runs on OpenVINO's built-in operation, several times slower: %s", reason)
        return None if reason else shared_sampler(n_threads or len(allowed_cpus()))

    def convert(node: Any) -> list[Any]:
        conv, ours = DeformConv.from_node(node), sampler()
        return [(_sampled(conv, ours, precision) if ours else builtin(conv)).output(0)]

    return [ConversionExtension("DeformConv", convert)]


def why_builtin() -> str | None:
    """Return why every DeformConv has to run on OpenVINO's slower operation; None if the sampler works here."""
    try:
        check_compiler()
    except Exception as error:  # an unknown processor or another llvmlite may fail in any way; there is a second path
        return f"{type(error).__name__}: {error}"
    return None


@dataclass(frozen=True)
class DeformConv:
    """A node's tensors and attributes; pairs are (y, x), pads (top, left, bottom, right)."""

    x: Any
    weight: Any
    offset: Any
    bias: Any | None
    mask: Any | None
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]
    group: int
    offset_group: int

    @classmethod
    def from_node(cls, node: Any) -> "DeformConv":
        """Read a node of the ONNX frontend; what is absent gets its default."""
        tensors = [node.get_input(i) for i in range(node.get_input_size())]
        x, weight, offset, bias, mask, *_ = [*tensors, None, None]
        conv = cls(
            x,
            weight,
            offset,
            bias=None if bias is None or bias.get_node().get_type_name() == "NullNode" else bias,
            mask=mask,
            strides=tuple(node.get_attribute("strides", [1, 1])),
            dilations=tuple(node.get_attribute("dilations", [1, 1])),
            pads=tuple(node.get_attribute("pads", [0, 0, 0, 0])),
            group=node.get_attribute("group", 1),
            offset_group=node.get_attribute("offset_group", 1),
        )
        conv.check_shapes()
        return conv

    def check_shapes(self) -> None:
        """Raise ShapeError for what is no DeformConv, as far as the shapes are known."""
        x, weight, offset = (tensor.get_partial_shape() for tensor in (self.x, self.weight, self.offset))
        if x.rank != 4 or offset.rank != 4 or weight.is_dynamic:
            raise ShapeError(
                f"DeformConv needs x and offset [N, C, H, W] and a weight of known size, got {x}, {weight}."
            )
        n_taps = weight[2].get_length() * weight[3].get_length() * self.offset_group
        for name, tensor, channels in (
            ("x", self.x, self.channels),
            ("offset", self.offset, 2 * n_taps),
            ("mask", self.mask, n_taps),
        ):
            if tensor is not None and channels_of(tensor) not in (None, channels):
                raise ShapeError(f"DeformConv's {name} is {tensor.get_partial_shape()}, but needs {channels} channels.")

    @property
    def channels(self) -> int:
        """C, which the weight tells where x does not."""
        return int(self.weight.get_partial_shape()[1].get_length()) * self.group

    @property
    def is_warp(self) -> bool:
        """Whether the kernel is one tap at the pixel itself, over so few planes that pixels fill a vector better."""
        is_tap = list(self.weight.get_shape()[2:]) == [1, 1]
        return is_tap and self.strides == (1, 1) and not any(self.pads) and self.channels <= MAX_PLANES

    @property
    def is_identity(self) -> bool:
        """Whether the samples are the result: weights 1 from each channel to itself, no bias."""
        weight, bias = constant(self.weight), np.zeros(1) if self.bias is None else constant(self.bias)
        if weight is None or bias is None or bias.any():
            return False
        return np.array_equal(weight, np.eye(self.channels)[:, :, None, None])


def _sampled(conv: DeformConv, sampler: Sampler, precision: Precision) -> Any:
    """Return the node that stands for a DeformConv: our sampler, then OpenVINO's convolution."""
    if conv.offset_group != conv.channels:
        reason = "DeformConv with %d offset groups for %d channels runs on OpenVINO's slower built-in operation"
        LOG.warning(reason, conv.offset_group, conv.channels)
        return builtin(conv)
    type_ = conv.x.get_element_type().get_type_name()
    samples = _warped(conv, sampler, precision) if conv.is_warp else _taps(conv, sampler, precision)
    samples = _in_type(samples.output(0), type_)
    if conv.is_warp and conv.is_identity:
        return samples.get_node()
    return _weighted(conv, ops.transpose(samples, ops.constant(CHANNELS_FIRST)))


def _taps(conv: DeformConv, sampler: Sampler, precision: Precision) -> SampleTaps:
    """Return the samples of any kernel, [N, H', W', C*K]."""
    _, _, kernel_height, kernel_width = conv.weight.get_shape()
    geometry = Geometry((kernel_height, kernel_width), conv.strides, conv.dilations, conv.pads)
    offset, offset_channels = range_source(conv.offset)
    masks, mask_channels, mask_kind = _mask(conv, offset)
    # the sampler reads bfloat16 in words of two channels
    x = _channels_last(conv.x, "f32" if conv.channels % 2 else precision)
    inputs = [x, *(_channels_last(tensor, precision) for tensor in (offset, *masks))]
    return SampleTaps(inputs, sampler, geometry, mask_kind, offset_channels.start, mask_channels.start)


def _warped(conv: DeformConv, sampler: Sampler, precision: Precision) -> WarpPlanes:
    """Return the samples of a kernel of one tap over few planes, [N, C, H, W] where they are the result."""
    x, x_channels = channels_source(conv.x)
    offset, offset_channels = cells_source(conv.offset)
    masks, mask_channels, mask_kind = _mask(conv, offset)
    warp = Warp(
        conv.channels, x_channels, offset_channels, mask_channels, mask_kind, arrives_in_planes(x), conv.is_identity
    )
    x = _in_type(x, precision) if warp.is_x_planar else _channels_last(x, precision)
    inputs = [x, *(_channels_last(tensor, precision) for tensor in (offset, *masks))]
    return WarpPlanes(inputs, sampler.workers, warp)


def _mask(conv: DeformConv, offset: Any) -> tuple[list[Any], Channels, MaskKind]:
    """Return the mask as an input of its own, none where it is read from the offset's; its channels, its kind."""
    if conv.mask is None:
        return [], Channels(), MaskKind.NONE
    is_sigmoid = conv.mask.get_node().get_type_name() == "Sigmoid"
    mask, channels = range_source(conv.mask.get_node().input_value(0) if is_sigmoid else conv.mask)
    kind = MaskKind.LOGITS if is_sigmoid else MaskKind.FACTORS
    return [] if mask == offset else [mask], channels, kind


def _weighted(conv: DeformConv, samples: Any) -> Any:
    """Return the rest of the work, [N, C*K, H', W'] times the weights: a 1x1 convolution."""
    c_out, per_group, kernel_height, kernel_width = conv.weight.get_shape()
    n_inputs, no_pad = per_group * kernel_height * kernel_width, [0, 0]
    if conv.group == 1:
        weight = ops.reshape(conv.weight, ops.constant([c_out, n_inputs, 1, 1]), special_zero=False)
        y = ops.convolution(samples, weight, [1, 1], no_pad, no_pad, [1, 1])
    else:
        shape = [conv.group, c_out // conv.group, n_inputs, 1, 1]
        weight = ops.reshape(conv.weight, ops.constant(shape), special_zero=False)
        y = ops.group_convolution(samples, weight, [1, 1], no_pad, no_pad, [1, 1])
    return _biased(y, conv.bias)


def builtin(conv: DeformConv) -> Any:
    """Return OpenVINO's own operation, which takes every attribute and computes in float32."""
    y = ops.deformable_convolution(
        conv.x,
        conv.offset,
        conv.weight,
        strides=list(conv.strides),
        pads_begin=list(conv.pads[:2]),
        pads_end=list(conv.pads[2:]),
        dilations=list(conv.dilations),
        mask=conv.mask,
        group=conv.group,
        deformable_group=conv.offset_group,
        bilinear_interpolation_pad=True,
    )
    return _biased(y, conv.bias)


def _biased(y: Any, bias: Any | None) -> Any:
    return y if bias is None else ops.add(y, ops.reshape(bias, ops.constant([1, -1, 1, 1]), special_zero=False))


def _channels_last(tensor: Any, type_: str) -> Any:
    """Return a tensor in this type, as [N, H, W, C]."""
    return _in_type(ops.transpose(tensor, ops.constant(CHANNELS_LAST)).output(0), type_)


def _in_type(tensor: Any, type_: str) -> Any:
    """Convert a tensor that OpenVINO holds in this type already, so that nothing is done.

    Compiled for bfloat16, OpenVINO drops a conversion between float32 and bfloat16, but not once it has fused it into
    a kernel, and it fuses any of up to six dimensions: at 416x240 the copies cost 21 ms.
    """
    if tensor.get_element_type().get_type_name() == type_:
        return tensor
    extra = ops.constant([4, 5, 6])
    return ops.squeeze(ops.convert(ops.unsqueeze(tensor, extra), type_), extra).output(0)
