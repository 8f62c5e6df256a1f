import pytest

from cvqe.errors import ModelError, ShapeError
from plugins.deform_conv.callback_errors import keeping_errors, take_error


class Plugin:
    node = "/align/deform_conv"

    @keeping_errors
    def callback(self, error):
        if error:
            raise error
        return "done"


@pytest.fixture(autouse=True)
def nothing_kept():
    take_error()


def test_a_callback_that_works_leaves_nothing():
    assert Plugin().callback(None) == "done"
    assert take_error() is None


def test_a_sentence_is_kept_with_the_name_of_the_node_and_raised():
    with pytest.raises(ModelError, match=r"^node /align/deform_conv: its inputs are BF16$"):
        Plugin().callback(ModelError("its inputs are BF16"))
    error = take_error()
    assert type(error) is ModelError
    assert str(error) == "node /align/deform_conv: its inputs are BF16"


def test_the_first_error_is_told_once():
    for error in (ShapeError("first"), ShapeError("second")):
        with pytest.raises(ShapeError):
            Plugin().callback(error)
    assert "first" in str(take_error())
    assert take_error() is None


def test_our_own_mistakes_are_kept_as_they_are():
    mistake = KeyError("x")
    with pytest.raises(KeyError):
        Plugin().callback(mistake)
    assert take_error() is mistake
