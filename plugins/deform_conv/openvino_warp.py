"""The warp as an OpenVINO operation: planes or channels last, as its neighbours have them."""

from typing import Any

import numpy as np
import openvino

from plugins.deform_conv.openvino_op import array_of
from plugins.deform_conv.sampler import MaskKind
from plugins.deform_conv.warper import Warp, warp_planes
from plugins.deform_conv.workers import Workers


class WarpPlanes(openvino.Op):
    """Warped planes of x, both [N, C, H, W] or [N, H, W, C], at offsets [N, H/r, W/r, C'], maybe times a mask.

    The mask [N, H, W, C''] is the last input: the third, or the second where a network predicts offset and mask
    together. The result has the offset's type, float32 or bfloat16.
    """

    def __init__(self, inputs: list[Any], workers: Workers, warp: Warp) -> None:
        super().__init__(self)
        self.workers, self.warp = workers, warp
        self.set_arguments(inputs)
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        """Called by OpenVINO: the result is as large as x."""
        self.set_output_type(
            0,
            self.get_input_element_type(1),
            openvino.PartialShape(self.warp.warped_shape(self.get_input_partial_shape(0))),
        )

    def clone_with_new_inputs(self, inputs: list[Any]) -> "WarpPlanes":
        """Called by OpenVINO, which compiles a copy of the model."""
        return WarpPlanes(inputs, self.workers, self.warp)

    def has_evaluate(self) -> bool:
        """Called by OpenVINO: this operation runs on the host."""
        return True

    def evaluate(self, outputs: list[Any], inputs: list[Any]) -> bool:
        """Called by OpenVINO, by several threads if the model runs in several streams."""
        x, offset = array_of(inputs[0]), array_of(inputs[1])
        mask = None if self.warp.mask_kind is MaskKind.NONE else array_of(inputs[-1])
        outputs[0].shape = self.warp.warped_shape(x.shape)
        is_float16 = outputs[0].element_type == openvino.Type.f16
        warped = np.empty(outputs[0].shape, np.float32) if is_float16 else array_of(outputs[0])
        warp_planes(self.workers, x, offset, mask, warped, self.warp)
        if is_float16:
            outputs[0].data[:] = warped
        return True
