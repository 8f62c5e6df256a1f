"""Where a network sees pixels, where it draws what its target lacks, and the gates between: what a start sets."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from cvqe.errors import UsageError
from cvqe.layers.attention_block import DeformableAttention
from cvqe.layers.motion_compensation import MotionCompensation
from cvqe.models.arcnn import ARCNN
from cvqe.models.cf_stif import CFSTIF
from cvqe.models.dcad import DCAD
from cvqe.models.dncnn import DnCNN
from cvqe.models.memnet import MemNet
from cvqe.models.mfqe import MFQE
from cvqe.models.mfqe2 import MFQE2
from cvqe.models.mganet import MGANet
from cvqe.models.rfda import RFDA
from cvqe.models.stdf import STDF
from cvqe.models.tgafnet import TGAFNet
from cvqe.models.vrcnn import VRCNN

Layers = Sequence[nn.Module]


@dataclass(frozen=True)
class Ends:
    """Layers by what is at their other side.

    Attributes:
        first: their input is pixels, of one frame or of some.
        last: their output is added to the target; a batch norm stands for the convolution before it, whose scale it
            would undo.
        flow: their output is a displacement, in units of many pixels.
        gates: their output, through a sigmoid, is what features on their way are multiplied by.
    """

    first: Layers
    last: Layers
    flow: Layers = ()
    gates: Layers = ()


def ends_of(network: nn.Module) -> Ends:
    """Return a network's ends.

    Raises:
        UsageError: it is none whose ends are known, or it draws the picture itself.
    """
    match network:
        case ARCNN() | DCAD() | DnCNN() | VRCNN():
            return Ends([network.layers[0]], [network.layers[-1]])
        case MemNet():
            return Ends([], [network.picture])  # its batch norms take the brightness out of pixels
        case MFQE():
            return Ends([head[0] for head in network.heads], [network.tail[-1]], _flow_layers(network.motion))
        case MFQE2():
            last = network.tail.last[1] if network.is_dense else network.tail[-1]
            sizes = [layer for head in network.heads for layer in head.sizes]
            return Ends(sizes, [last], _flow_layers(network.motion))
        case STDF() | RFDA():
            first = [network.ffnet.in_conv[0], network.ffnet.deform_conv]
            return Ends(first, [network.qenet.out_conv], gates=_gates(network))
        case CFSTIF():
            return Ends([network.mlrd.conv_first[0], network.mlrd.deform_conv], [network.qe.conv_last])
        case TGAFNet():
            sampling = [block.deform_conv for block in network.deform_blocks()]
            return Ends([network.inputconv[0], *sampling], [network.qenet.out_conv])
        case MGANet() if network.draws_residual:
            return Ends(list(network.first_layers()), list(network.last_layers()))
    raise UsageError(
        f'network.start = "identity" does not fit this {type(network).__name__}: it is for networks that add to their '
        'target (mganet with residual = true), live not among them. Choose "default".'
    )


def _gates(network: nn.Module) -> Layers:
    attentions = [module for module in network.modules() if isinstance(module, DeformableAttention)]
    return [gate for each in attentions for gate in (each.conv4, each.conv_du[-2])]


def _flow_layers(motion: MotionCompensation) -> Layers:
    return [step.layers[-1] for step in (motion.coarse, motion.middle, motion.fine)]
