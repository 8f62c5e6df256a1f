import pytest

from cvqe.errors import ModelError, UsageError
from cvqe.models import create, names
from training.trainable import check_trainable


@pytest.mark.parametrize("name", sorted(set(names()) - {"rfda"}))
def test_networks_of_one_window_are_taught(name):
    check_trainable(create(name), name, "adjacent")


def test_a_recurrent_network_is_refused_with_what_can_be_done_instead():
    with pytest.raises(UsageError, match=r"rfda goes on from frame to frame.*export/to_onnx.py"):
        check_trainable(create("rfda"), "rfda", "adjacent")


def test_neighbors_that_only_a_bitstream_tells_are_refused():
    with pytest.raises(UsageError, match=r"'peak-quality' are chosen by the QPs of frames.*adjacent or low-delay"):
        check_trainable(create("mfqe2"), "mfqe2", "peak-quality")


def test_neighbors_that_there_are_not_are_refused():
    with pytest.raises(ModelError, match="low-delay"):
        check_trainable(create("stdf_r3"), "stdf_r3", "low-delay")
