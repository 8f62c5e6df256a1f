import json

import pytest
import torch
from safetensors.torch import save_file

from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import ModelError
from cvqe.models import create

OPTIONS = {"channels": 4, "radius": 1, "residual": True, "guided": False}


def network():
    torch.manual_seed(0)
    return create("mganet", **OPTIONS).eval()


def test_safetensors_keep_what_is_known_of_a_network(tmp_path):
    told = {"network": "mganet", "options": json.dumps(OPTIONS), "qp": "[37]", "neighbors": json.dumps("low-delay")}
    save_file(network().state_dict(), tmp_path / "m.safetensors", metadata=told)
    checkpoint = load_checkpoint(tmp_path / "m.safetensors")
    assert (checkpoint.options, checkpoint.qp, checkpoint.neighbors) == (OPTIONS, (37,), "low-delay")
    window = torch.rand(1, 3, 17, 19)
    torch.testing.assert_close(network_from_checkpoint(checkpoint)(window), network()(window), atol=0, rtol=0)


def test_a_network_that_its_tensors_do_not_tell_is_not_guessed(tmp_path):
    torch.save(create("mganet", channels=4, fusion="early").state_dict(), tmp_path / "early.pth")
    with pytest.raises(ModelError, match="Save it with its name and options"):
        load_checkpoint(tmp_path / "early.pth", "mganet")
