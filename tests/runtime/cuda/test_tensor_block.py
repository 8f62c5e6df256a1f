"""Tensors in one aligned piece."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runtime.cuda.network import TensorSpec
from runtime.cuda.pinned_memory import PinnedMemory
from runtime.cuda.tensor_block import TensorBlock

shapes = st.lists(st.integers(1, 40), max_size=3).map(tuple)
specs = st.lists(st.tuples(shapes, st.sampled_from(["uint8", "float32"])), max_size=4).map(
    lambda kinds: [TensorSpec(f"t{i}", shape, np.dtype(dtype)) for i, (shape, dtype) in enumerate(kinds)]
)


@given(specs)
def test_every_tensor_is_aligned_and_none_touches_another(specs):
    block = TensorBlock(specs)
    held = np.zeros(block.size_bytes, np.uint8)
    views = block.views(PinnedMemory(held.ctypes.data, held.size))
    assert all(address % 256 == 0 for address in block.addresses(512).values())
    for number, view in enumerate(views.values(), start=1):
        view[...] = number
    for number, (spec, view) in enumerate(zip(specs, views.values(), strict=True), start=1):
        assert (view.shape, view.dtype) == (spec.shape, spec.dtype)
        assert (view == number).all()
        start = block.offsets[spec.name]
        np.testing.assert_array_equal(held[start : start + spec.size_bytes], view.reshape(-1).view(np.uint8))
