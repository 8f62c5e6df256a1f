import numpy as np
import pytest

from cvqe.errors import BackendError
from plugins.deform_conv import field_memory
from plugins.deform_conv.field_memory import arrays_of
from plugins.tensorrt_modules import load_tensorrt

pytest.importorskip("tensorrt_rtx")
HELD = {
    "pads": ("INT32", np.array([1, 2, 3, 4], np.int32)),
    "group": ("FLOAT32", np.array([1.5], np.float32)),
    "kernel": ("CHAR", np.frombuffer(b"// ptx\0\xc3 and more", np.int8)),
    "empty": ("INT32", np.zeros(0, np.int32)),
}


@pytest.fixture(scope="module")
def trt():
    return load_tensorrt("tensorrt-rtx")


def module_with(trt, field_class):
    """Return what is hashable as a module is, with a PluginField of its own."""
    return type("Module", (), {**vars(trt), "PluginField": field_class, "__hash__": object.__hash__})


def fields_of(module):
    return [
        module.PluginField(name, array, getattr(module.PluginFieldType, kind)) for name, (kind, array) in HELD.items()
    ]


def assert_held(arrays):
    assert list(arrays) == list(HELD)
    for name, (_, array) in HELD.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_fields_are_read_by_name(trt):
    assert_held(arrays_of(trt, fields_of(trt)))


def test_fields_are_read_from_memory_where_data_repeats_its_first_element(trt):
    class Repeating(trt.PluginField):
        @property
        def data(self):
            return np.full(self.size, super().data[0]) if self.size else super().data

    assert_held(arrays_of(module_with(trt, Repeating), fields_of(module_with(trt, Repeating))))


def test_a_module_that_can_be_read_neither_way_is_refused(trt, monkeypatch):
    class Repeating(trt.PluginField):
        data = np.zeros(3, np.int32)

    monkeypatch.setattr(field_memory, "_from_memory", lambda field: np.zeros(3, np.int32))
    module = module_with(trt, Repeating)
    with pytest.raises(BackendError, match=r"under NumPy .*\nUpdate it:  pip install --upgrade tensorrt-cu13"):
        arrays_of(module, fields_of(module))
