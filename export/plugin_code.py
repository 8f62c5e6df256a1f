"""The identity of our DeformConv plugin: a checksum of its code, its kernels' and their compiler's version."""

import ast
import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENTRIES = ("plugins.deform_conv.tensorrt_plugin", "plugins.deform_conv.onnx_nodes")


def plugin_sha256(entries: Sequence[str] = ENTRIES, root: Path = ROOT) -> str:
    """Return the checksum of modules, of all they import from plugins/, and of the Triton that compiles them."""
    found = hashlib.sha256(_triton_version().encode())
    for module in sorted(modules_of(entries, root)):
        found.update(module.encode() + b"\0" + source_of(module, root).read_bytes())
    return found.hexdigest()


def modules_of(entries: Sequence[str], root: Path = ROOT) -> set[str]:
    """Return modules and all in plugins/ that they import, in functions too, and those import in turn."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        if module in found or not source_of(module, root).is_file():
            continue  # a name taken from a module looks like one of its submodules
        found.add(module)
        waiting += _imported(source_of(module, root))
    return found


def source_of(module: str, root: Path = ROOT) -> Path:
    """Name the file of a module that is no package."""
    return root.joinpath(*module.split(".")).with_suffix(".py")


def _imported(source: Path) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [module for module in modules if module.startswith("plugins.")]


def _triton_version() -> str:
    try:
        return version("triton")
    except PackageNotFoundError:
        return "none"
