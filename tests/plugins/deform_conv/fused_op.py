"""CvqeDeformConv for ONNX's reference evaluator: the equation behind the split and the sigmoid that are folded in."""

from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from plugins.deform_conv.node_facts import CUSTOM_DOMAIN
from plugins.deform_conv.reference import deform_conv


class CvqeDeformConv(OpRun):
    """Inputs and attributes as plugins/deform_conv/onnx_nodes.py says."""

    op_domain = CUSTOM_DOMAIN

    def _run(self, x: Any, weight: Any, offset: Any, bias: Any, mask: Any = None, **attributes: Any) -> tuple[Any]:
        told = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in self.onnx_node.attribute}
        if told.get("packed"):
            assert mask is None
            n_mask = offset.shape[1] // 3
            offset, mask = offset[:, : 2 * n_mask], offset[:, 2 * n_mask :]
        if told.get("mask_logits"):
            mask = 1 / (1 + np.exp(-mask))
        plain = {name: told[name] for name in ("group", "offset_group") if name in told}
        plain |= {name: tuple(told[name]) for name in ("strides", "dilations", "pads") if name in told}
        return (deform_conv(x, weight, offset, bias, mask, **plain).astype(x.dtype),)


def evaluate(model: onnx.ModelProto, feeds: dict[str, Any]) -> Any:
    """Return a model's first output."""
    return ReferenceEvaluator(model, new_ops=[CvqeDeformConv]).run(None, feeds)[0]
