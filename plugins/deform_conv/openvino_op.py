"""The sampler as an OpenVINO operation: channels last in, channels last out."""

from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from plugins.deform_conv.sampler import Geometry, MaskKind, Sampler


class SampleTaps(openvino.Op):
    """Samples [N, H', W', C*K] of x [N, H, W, C]; the 1x1 convolution with the weights is another operation's work.

    Offset and mask are channel ranges of the inputs after x: of the same one, where a network predicts both together.
    The samples have the offset's type, float32 or bfloat16.
    """

    def __init__(
        self,
        inputs: list[Any],
        sampler: Sampler,
        geometry: Geometry,
        mask_kind: MaskKind,
        offset_start: int,
        mask_start: int,
    ) -> None:
        super().__init__(self)
        self.sampler, self.geometry, self.mask_kind = sampler, geometry, mask_kind
        self.offset_start, self.mask_start = offset_start, mask_start
        self.set_arguments(inputs)
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        """Called by OpenVINO: the samples are as large as the offset and have C*K channels."""
        n, height, width, _ = self.get_input_partial_shape(1)
        n_samples = self.get_input_partial_shape(0)[3].get_length() * self.geometry.n_taps
        samples = openvino.PartialShape([n, height, width, openvino.Dimension(n_samples)])
        self.set_output_type(0, self.get_input_element_type(1), samples)

    def clone_with_new_inputs(self, inputs: list[Any]) -> "SampleTaps":
        """Called by OpenVINO, which compiles a copy of the model."""
        settings = self.sampler, self.geometry, self.mask_kind, self.offset_start, self.mask_start
        return SampleTaps(inputs, *settings)

    def has_evaluate(self) -> bool:
        """Called by OpenVINO: this operation runs on the host."""
        return True

    def evaluate(self, outputs: list[Any], inputs: list[Any]) -> bool:
        """Called by OpenVINO, by several threads if the model runs in several streams."""
        x, offset = array_of(inputs[0]), array_of(inputs[1])
        mask = None if self.mask_kind is MaskKind.NONE else array_of(inputs[-1])
        outputs[0].shape = [*offset.shape[:3], x.shape[3] * self.geometry.n_taps]
        is_float16 = outputs[0].element_type == openvino.Type.f16
        samples = np.empty(outputs[0].shape, np.float32) if is_float16 else array_of(outputs[0])
        self.sampler(x, offset, mask, samples, self.geometry, self.mask_kind, self.offset_start, self.mask_start)
        if is_float16:
            outputs[0].data[:] = samples
        return True


def array_of(tensor: Any) -> NDArray[Any]:
    """Return a view of a tensor: float32, or the bits of bfloat16, which NumPy lacks.

    With the hint f16 OpenVINO makes this operation's types float16. Only then the tensor is copied.
    """
    if tensor.element_type == openvino.Type.bf16:
        return np.asarray(tensor.data.view(np.uint16))
    return np.asarray(tensor.data, np.float32)
