import pytest

from cvqe.errors import ModelError, UsageError
from cvqe.models import create, hidden_channels, names
from training.recipe import Recipe, with_overrides
from training.trainable import check_trainable


def recipe(name, *overrides):
    """A recipe of a network."""
    return with_overrides(Recipe(), [f'network.name="{name}"', *overrides])


@pytest.mark.parametrize("name", names())
def test_every_network_is_taught_with_the_targets_it_needs(name):
    network = create(name)
    check_trainable(network, recipe(name, f"data.consecutive={4 if hidden_channels(network) else 1}"))


def test_a_recurrent_network_needs_some_targets_one_after_another():
    with pytest.raises(UsageError, match=r"rfda goes on from frame to frame.*data.consecutive=4"):
        check_trainable(create("rfda"), recipe("rfda"))


def test_a_network_without_a_state_has_no_use_for_them():
    with pytest.raises(UsageError, match="stdf_r3 has none; 1 was expected"):
        check_trainable(create("stdf_r3"), recipe("stdf_r3", "data.consecutive=2"))


def test_targets_one_after_another_want_adjacent_frames():
    network = create("rfda")
    network.radius = 1
    with pytest.raises(UsageError, match=r"'low-delay' with 4 targets one after another; 'adjacent' was expected"):
        check_trainable(network, recipe("rfda", "data.consecutive=4", 'data.neighbors="low-delay"'))


def test_neighbors_of_peak_quality_are_taught():
    check_trainable(create("mfqe2"), recipe("mfqe2", 'data.neighbors="peak-quality"'))


def test_neighbors_that_there_are_not_are_refused():
    with pytest.raises(ModelError, match="low-delay"):
        check_trainable(create("stdf_r3"), recipe("stdf_r3", 'data.neighbors="low-delay"'))
