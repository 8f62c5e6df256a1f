"""kernel.py as compilable functions, or as functions of Triton's interpreter, whatever TRITON_INTERPRET says."""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

from triton import knobs

SOURCE = Path(__file__).with_name("kernel.py")


@cache
def load_kernels(interpreted: bool = False) -> ModuleType:
    """Return a copy of the module kernel.py, in which functions are made for the compiler or for the interpreter.

    Triton decides when a function is decorated, by an environment variable: a copy makes both available in a process.
    """
    name = f"{__package__}.kernel_{'interpreted' if interpreted else 'compilable'}"
    spec = importlib.util.spec_from_file_location(name, SOURCE)
    assert spec and spec.loader, "a file beside this one"
    module = importlib.util.module_from_spec(spec)
    with knobs.runtime.scope():
        knobs.runtime.interpret = interpreted
        spec.loader.exec_module(module)
    return module
