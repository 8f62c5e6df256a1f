"""The guide scaled before it reaches OpenVINO: in bfloat16 the graph would round it, the scale and their product.

    guide -> Multiply (1/255) or Divide (peak) -> network        becomes    guide in [0, 1] -> network

Measured on random levels of 8 bits: 1.7 levels off at most, and 0.5 with the one rounding that a convolution needs.
"""

import openvino

from cvqe.errors import BackendError
from cvqe.manifest import GUIDE

SCALINGS = ("Multiply", "Divide")


def guide_without_scaling(model: openvino.Model) -> None:
    """Let what reads the guide's scaled levels read the input itself, in place; the caller scales it then.

    Raises:
        BackendError: something reads it unscaled: the graph is not one that cvqe exported.
    """
    guide = model.input(GUIDE)
    for reader in guide.get_target_inputs():
        node = reader.get_node()
        if node.get_type_name() not in SCALINGS or reader.get_index():
            raise BackendError(
                f"the network's guide is read by {node.get_type_name()} {node.get_friendly_name()}, and the "
                f"{' or '.join(SCALINGS)} that scales it to 0..1 was expected. Export the network again by "
                "export/to_onnx.py, or run this one by another backend:  --backend onnxruntime"
            )
        node.output(0).replace(guide)
