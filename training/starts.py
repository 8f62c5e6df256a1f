"""How a network's weights start, by the name a recipe gives."""

from collections.abc import Callable

from torch import nn

from training.identity_start import start_near_identity
from training.start import centre

STARTS: dict[str, Callable[[nn.Module], None]] = {
    "default": lambda network: None,
    "centred": centre,
    "identity": start_near_identity,
}
