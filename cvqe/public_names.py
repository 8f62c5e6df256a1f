"""Networks told by the tensor names of their public checkpoints, which say nothing else of themselves."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvqe.errors import ModelError

PUBLIC = ("cf_stif", "mganet", "rfda", "stdf_r1", "stdf_r3", "stdf_r3l", "tgafnet")
_STDF = {(3, 32): "stdf_r1", (7, 32): "stdf_r3", (7, 64): "stdf_r3l"}  # by the frames and channels of its U-Net


def recognise(state_dict: Mapping[str, Any], origin: Path) -> tuple[str, dict[str, Any]]:
    """Tell a network and its options by its tensor names.

    Raises:
        ModelError: no network we know has these tensors.
    """
    if "deform_block_5.offset_mask.weight" in state_dict and "wpnet.offset_mask.weight" in state_dict:
        places = (re.match(r"qenet\.hid_conv\.(\d+)\.gcnet\.conv_mask\.weight", name) for name in state_dict)
        return "tgafnet", {"blocks": len([place for place in places if place])}
    if "biconvlstm.cell_list.0.conv.weight" in state_dict and "deconv1.0.weight" in state_dict:
        return "mganet", mganet_options(state_dict)
    if "mlrd.conv_first.0.weight" in state_dict and "qe.conv_first.weight" in state_dict:
        return "cf_stif", {}
    if "ffnet.in_conv.0.weight" in state_dict:
        recognised = "rfda" if "wpnet.in_conv.0.weight" in state_dict else stdf_name(state_dict)
        if recognised:
            return recognised, {}
    first = next(iter(state_dict), "none at all")
    raise ModelError(
        f"{origin} names no network and its tensors (first: {first}) are no known one's; "
        f"only those of public checkpoints are told by theirs ({', '.join(PUBLIC)}). Save it with its name and "
        "options, as training/train.py does."
    )


def mganet_options(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the options of a published MGANet by its tensors."""
    n_frames = len([name for name in state_dict if re.fullmatch(r"pre_conv\d+\.0\.weight", name)])
    return {
        "radius": n_frames // 2,
        "channels": len(state_dict["biconvlstm.cell_list.0.conv_concat.weight"]),
        "fusion": "brclstm" if "LSTM_out.0.weight" in state_dict else "brclstm-add",
        "guided": "conv1_mask.0.weight" in state_dict,
    }


def stdf_name(state_dict: Mapping[str, Any]) -> str | None:
    """Tell which STDF has a first convolution of this shape; None where none was published."""
    channels, n_frames, *_ = state_dict["ffnet.in_conv.0.weight"].shape
    return _STDF.get((n_frames, channels))
