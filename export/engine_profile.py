"""The shapes an engine is built for: what the command line says, completed and checked against the ONNX file."""

from collections.abc import Mapping

import onnx

from cvqe.engine_manifest import Shape, ShapeRange, shape_text
from cvqe.errors import UsageError
from cvqe.manifest import WINDOW
from export.engine_options import ShapeOptions

Dims = tuple[int | str, ...]
Profile = dict[str, ShapeRange]


def profile_of(model: onnx.ModelProto, options: ShapeOptions) -> Profile:
    """Return the shapes of every input.

    One shape alone (--optShapes or --shapes) makes a static engine; of three, one left out is the one next to it; an
    input that no option names keeps the shape the file gives it. There a size that goes by the same name as one of an
    input before it is that one's: a guide is as large as the window's frames.

    Raises:
        UsageError: an input is unknown or has no shape, a shape contradicts the file or another input's, or min <= opt
            <= max is broken.
    """
    inputs = input_dims(model)
    given = {
        "minShapes": options.min_shapes,
        "optShapes": options.opt_shapes or (options.shapes if not (options.min_shapes or options.max_shapes) else {}),
        "maxShapes": options.max_shapes,
    }
    for flag, shapes in {**given, "shapes": options.shapes}.items():
        _check_names(flag, shapes, inputs)
    profile: Profile = {}
    for name, dims in inputs.items():
        sizes = _sizes_by_name(profile, inputs)
        profile[name] = _range_of(name, dims, given) if _is_named(name, given) else _range_by_name(name, dims, sizes)
        _check_agrees(name, profile[name], dims, sizes)
    return profile


def input_dims(model: onnx.ModelProto) -> dict[str, Dims]:
    """Return the dimensions of every input, free ones by their name; one without a name is like no other."""
    return {
        value.name: tuple(
            int(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or f"{value.name}.{axis}"
            for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        )
        for value in model.graph.input
    }


def fix_static_dims(model: onnx.ModelProto, profile: Mapping[str, ShapeRange]) -> None:
    """Write sizes that do not vary into the inputs, in place: the library then folds all that follows from them."""
    for value in model.graph.input:
        sizes = profile[value.name]
        for dim, low, high in zip(value.type.tensor_type.shape.dim, sizes.min, sizes.max, strict=True):
            if low == high:
                dim.dim_value = low
    del model.graph.value_info[:]  # they still name the free dimensions


def timed_shapes(profile: Mapping[str, ShapeRange], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shape every input is timed at: the one asked for, or the one the engine is fast for.

    Raises:
        UsageError: no such input, or outside what the engine takes.
    """
    for name, shape in shapes.items():
        if name not in profile or not profile[name].holds(shape):
            takes = ",".join(f"{each}:{sizes}" for each, sizes in profile.items())
            raise UsageError(
                f"--shapes={name}:{shape_text(shape)} can't be timed; the engine takes {takes}. "
                f"Leave --shapes away to time  {shapes_flag('shapes', {n: s.opt for n, s in profile.items()})}"
            )
    return {name: shapes.get(name, sizes.opt) for name, sizes in profile.items()}


def shapes_flag(flag: str, shapes: Mapping[str, Shape]) -> str:
    """Spell shapes as a flag: --optShapes=window:1x7x720x1280,qp:1."""
    return f"--{flag}=" + ",".join(f"{name}:{shape_text(shape)}" for name, shape in shapes.items())


def _check_names(flag: str, shapes: Mapping[str, Shape], inputs: Mapping[str, Dims]) -> None:
    for name in shapes:
        if name not in inputs:
            raise UsageError(f"--{flag} names {name!r}, but the file's inputs are {', '.join(inputs)}.")


def _range_of(name: str, dims: Dims, given: Mapping[str, Mapping[str, Shape]]) -> ShapeRange:
    low, typical, high = (given[flag].get(name) for flag in ("minShapes", "optShapes", "maxShapes"))
    # mypy can't see that one of three is there
    typical = typical or high or low or ()
    sizes = ShapeRange(low if low is not None else typical, typical, high if high is not None else typical)
    for flag, shape in (("optShapes", sizes.opt), ("minShapes", sizes.min), ("maxShapes", sizes.max)):
        _check_fits(flag, name, shape, dims)
    if not sizes.holds(sizes.opt):
        raise UsageError(
            f"{name} is asked for from {shape_text(sizes.min)} over {shape_text(sizes.opt)} to "
            f"{shape_text(sizes.max)}; --minShapes <= --optShapes <= --maxShapes was expected in every dimension."
        )
    return sizes


def _range_by_name(name: str, dims: Dims, sizes: Mapping[str, Shape]) -> ShapeRange:
    """Return the shapes of an input that no option names: sizes of the file, free ones those known by their name."""
    if any(isinstance(dim, str) and dim not in sizes for dim in dims):
        raise UsageError(
            f"{name} is {'x'.join(map(str, dims))} in the file, so a size is to be chosen. "
            f"Type:  {shapes_flag('optShapes', {name: _example(dims)})}"
        )
    ends = [tuple(sizes[dim][end] if isinstance(dim, str) else dim for dim in dims) for end in range(3)]
    return ShapeRange(*ends)


def _sizes_by_name(profile: Profile, inputs: Mapping[str, Dims]) -> dict[str, Shape]:
    """Return the smallest, the typical and the largest size of every free dimension so far, by its name."""
    return {
        dim: (sizes.min[axis], sizes.opt[axis], sizes.max[axis])
        for name, sizes in profile.items()
        for axis, dim in enumerate(inputs[name])
        if isinstance(dim, str)
    }


def _check_agrees(name: str, found: ShapeRange, dims: Dims, sizes: Mapping[str, Shape]) -> None:
    for axis, dim in enumerate(dims):
        told = (found.min[axis], found.opt[axis], found.max[axis])
        if isinstance(dim, str) and told != sizes.get(dim, told):
            raise UsageError(
                f"{name} is asked for with a {dim} of {_size_text(told)}, but {WINDOW} with one of "
                f"{_size_text(sizes[dim])}; the same was expected. Leave {name} away: it follows from {WINDOW}."
            )


def _size_text(size: Shape) -> str:
    low, typical, high = size
    return f"{low}" if low == high else f"{low} to {high}, most often {typical}"


def _is_named(name: str, given: Mapping[str, Mapping[str, Shape]]) -> bool:
    return any(name in shapes for shapes in given.values())


def _check_fits(flag: str, name: str, shape: Shape, dims: Dims) -> None:
    fits = len(shape) == len(dims) and all(
        isinstance(dim, str) or dim == size for size, dim in zip(shape, dims, strict=True)
    )
    if not fits:
        raise UsageError(
            f"--{flag} gives {name} as {shape_text(shape)}, but the file has it as "
            f"{'x'.join(map(str, dims)) or 'scalar'}. Type:  {shapes_flag(flag, {name: _example(dims)})}"
        )


def _example(dims: Dims) -> Shape:
    """Put 720p where a file leaves the frame size open, 1 elsewhere."""
    sizes = {"height": 720, "width": 1280}
    return tuple(dim if isinstance(dim, int) else sizes.get(dim, 1) for dim in dims)


def size_text(profile: Mapping[str, ShapeRange]) -> str:
    """Spell the frame sizes for a file name: 1280x720, or 64x64-1920x1088."""
    window = profile[WINDOW]
    low, high = (f"{shape[3]}x{shape[2]}" for shape in (window.min, window.max))
    return low if low == high else f"{low}-{high}"
