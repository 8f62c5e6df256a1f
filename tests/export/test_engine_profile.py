"""Shapes of the command line against those of the file."""

import onnx
import pytest

from cvqe.engine_manifest import ShapeRange
from cvqe.errors import UsageError
from export.build_engine import parse_args
from export.engine_options import ShapeOptions
from export.engine_profile import fix_static_dims, input_dims, profile_of, timed_shapes
from tests.engines import save_small_network

SMALL, MIDDLE, LARGE = (1, 7, 32, 48), (1, 7, 64, 96), (1, 7, 128, 192)


@pytest.fixture
def model(tmp_path):
    return onnx.load(save_small_network(tmp_path / "small.onnx"))


@pytest.fixture
def deep(tmp_path):
    return onnx.load(save_small_network(tmp_path / "small.onnx", bit_depth=16))


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"opt_shapes": MIDDLE}, (MIDDLE, MIDDLE, MIDDLE)),
        ({"shapes": MIDDLE}, (MIDDLE, MIDDLE, MIDDLE)),
        ({"min_shapes": SMALL, "opt_shapes": MIDDLE, "max_shapes": LARGE}, (SMALL, MIDDLE, LARGE)),
        ({"min_shapes": SMALL, "max_shapes": LARGE}, (SMALL, LARGE, LARGE)),
        ({"opt_shapes": MIDDLE, "max_shapes": LARGE}, (MIDDLE, MIDDLE, LARGE)),
        ({"min_shapes": SMALL, "opt_shapes": MIDDLE}, (SMALL, MIDDLE, MIDDLE)),
        ({"min_shapes": SMALL, "max_shapes": LARGE, "shapes": MIDDLE}, (SMALL, LARGE, LARGE)),  # shapes: for timing
    ],
)
def test_shapes_left_out_are_those_next_to_them(model, given, expected):
    options = ShapeOptions(**{name: {"window": shape} for name, shape in given.items()})
    assert profile_of(model, options) == {"window": ShapeRange(*expected)}


@pytest.fixture
def guided(model):
    """Return the small network with a guide beside its window, which nothing reads."""
    frames = [1, 1, "height", "width"]
    model.graph.input.append(onnx.helper.make_tensor_value_info("guide", onnx.TensorProto.FLOAT, frames))
    return model


@pytest.mark.parametrize("is_told", [False, True])
def test_a_guide_is_as_large_as_the_frames_of_the_window(guided, is_told):
    sizes = {"min_shapes": SMALL, "opt_shapes": MIDDLE, "max_shapes": LARGE}
    told = {flag: {"guide": (1, 1, *window[2:])} if is_told else {} for flag, window in sizes.items()}
    options = ShapeOptions(**{flag: {"window": window, **told[flag]} for flag, window in sizes.items()})
    profile = profile_of(guided, options)
    assert profile["guide"] == ShapeRange((1, 1, 32, 48), (1, 1, 64, 96), (1, 1, 128, 192))


def test_other_inputs_keep_the_shape_of_the_file(deep):
    profile = profile_of(deep, ShapeOptions(opt_shapes={"window": (1, 7, 64, 96, 2)}))
    assert profile["peak"] == ShapeRange((), (), ())


@pytest.mark.parametrize(
    "options, words",
    [
        (ShapeOptions(), "window is 1x7xheightxwidth in the file"),
        (ShapeOptions(opt_shapes={"frames": MIDDLE}), "names 'frames', but the file's inputs are window"),
        (ShapeOptions(shapes={"frames": MIDDLE}), "names 'frames'"),
        (ShapeOptions(opt_shapes={"window": (1, 3, 64, 96)}), "--optShapes gives window as 1x3x64x96"),
        (ShapeOptions(opt_shapes={"window": (7, 64, 96)}), "--optShapes gives window as 7x64x96"),
        (ShapeOptions(min_shapes={"window": LARGE}, opt_shapes={"window": MIDDLE}), "<= --maxShapes was expected"),
        (ShapeOptions(opt_shapes={"window": LARGE}, max_shapes={"window": MIDDLE}), "<= --maxShapes was expected"),
    ],
)
def test_shapes_that_contradict_the_file_or_each_other_are_refused(model, options, words):
    with pytest.raises(UsageError, match=words) as error:
        profile_of(model, options)
    advice = str(error.value).partition("Type:  ")[2]
    if advice:  # what is advised can be typed, and is taken
        shapes = parse_args([advice]).shapes
        assert profile_of(model, shapes)["window"].is_static


def test_a_guide_of_another_size_than_the_windows_is_refused(guided):
    options = ShapeOptions(opt_shapes={"window": MIDDLE, "guide": (1, 1, 64, 48)})
    with pytest.raises(UsageError, match="guide is asked for with a width of 48, but window with one of 96"):
        profile_of(guided, options)


def test_sizes_that_do_not_vary_are_written_into_the_inputs(model):
    profile = {"window": ShapeRange((1, 7, 64, 48), (1, 7, 64, 96), (1, 7, 64, 192))}
    fix_static_dims(model, profile)
    assert input_dims(model) == {"window": (1, 7, 64, "width")}


def test_an_engine_is_timed_at_its_best_shape_or_one_it_takes():
    profile = {"window": ShapeRange(SMALL, MIDDLE, LARGE), "qp": ShapeRange((1,), (1,), (1,))}
    assert timed_shapes(profile, {}) == {"window": MIDDLE, "qp": (1,)}
    assert timed_shapes(profile, {"window": LARGE}) == {"window": LARGE, "qp": (1,)}
    with pytest.raises(UsageError, match="1x7x32x48 to 1x7x128x192"):
        timed_shapes(profile, {"window": (1, 7, 256, 256)})
    with pytest.raises(UsageError, match="--shapes=frames:1"):
        timed_shapes(profile, {"frames": (1,)})
