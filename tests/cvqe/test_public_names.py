from pathlib import Path

import pytest
import torch

from cvqe.checkpoint import load_checkpoint, network_from_checkpoint
from cvqe.errors import ModelError
from cvqe.models import create
from cvqe.public_names import PUBLIC, recognise
from tests.cvqe.models.comparison import official_shapes


@pytest.mark.parametrize("name", ["cf_stif", "rfda", "stdf_r3", "stdf_r3l"])
@pytest.mark.parametrize("asked", [True, False])
def test_a_public_checkpoint_is_told_by_its_tensors_and_loads_whole(tmp_path, name, asked):
    random = {f"module.{key}": torch.rand(shape) for key, shape in official_shapes(name).items()}
    torch.save({"state_dict": random}, tmp_path / "public.pt")
    checkpoint = load_checkpoint(tmp_path / "public.pt", name if asked else None)
    assert checkpoint.network == name
    loaded = network_from_checkpoint(checkpoint).state_dict()
    assert all(torch.equal(tensor, random[f"module.{key}"]) for key, tensor in loaded.items())


@pytest.mark.parametrize("name", PUBLIC)
def test_every_network_of_the_list_is_told_by_its_own_names(name):
    assert recognise(create(name).state_dict(), Path("public.pt"))[0] == name


def test_another_network_than_the_one_asked_for_is_refused(tmp_path):
    torch.save(create("stdf_r1").state_dict(), tmp_path / "public.pt")
    with pytest.raises(ModelError, match="holds stdf_r1, not stdf_r3; export it with --model stdf_r1"):
        load_checkpoint(tmp_path / "public.pt", "stdf_r3")


def test_a_network_like_a_published_one_of_another_size_is_not_guessed(tmp_path):
    torch.save(create("stdf_r3", fusion=16).state_dict(), tmp_path / "like.pt")
    with pytest.raises(ModelError, match=r"are no known one's.*Save it with its name and options"):
        load_checkpoint(tmp_path / "like.pt")
