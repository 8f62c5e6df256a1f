"""The guide scaled before it reaches OpenVINO: in bfloat16 the graph would round it, the scale and their product.

    guide -> Multiply (1/255) or Divide (peak) -> network        becomes    guide in [0, 1] -> network

Measured on random levels of 8 bits: 1.7 levels off at most, and 0.5 with the one rounding that a convolution needs.
"""

import openvino

from cvqe.manifest import GUIDE

SCALINGS = ("Multiply", "Divide")


def guide_without_scaling(model: openvino.Model) -> None:
    """Let what reads the guide's scaled levels read the input itself, in place; the caller scales it then."""
    guide = model.input(GUIDE)
    for reader in guide.get_target_inputs():
        node = reader.get_node()
        assert node.get_type_name() in SCALINGS and reader.get_index() == 0, "not as cvqe.pixels writes it"
        node.output(0).replace(guide)
