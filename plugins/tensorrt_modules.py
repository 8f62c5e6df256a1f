"""The modules `tensorrt` and `tensorrt_rtx`: imported by the names users type, able to take plugins.

TensorRT-RTX's parser opens "libtensorrt_rtx.so" when it meets a plugin, and where that fails the process ends without a
word. Its wheel brings libtensorrt_rtx.so.1 alone. The parser looks beside itself first, so it is loaded from a private
folder, in which the missing name is there:

    private folder:  libtensorrt_onnxparser_rtx.so.1 --\
                     libtensorrt_rtx.so.1 ---------------> the wheel's files, loaded once
                     libtensorrt_rtx.so ---------------/
"""

import atexit
import ctypes
import functools
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from cvqe.errors import BackendError, UsageError

log = logging.getLogger(__name__)
MISSING_NAME = "libtensorrt_rtx.so"


@dataclass(frozen=True)
class _Package:
    module: str
    install: str


LIBRARIES = {
    "tensorrt": _Package("tensorrt", "pip install tensorrt-cu13"),
    "tensorrt-rtx": _Package("tensorrt_rtx", "pip install tensorrt-rtx-cu13"),
}


def load_tensorrt(library: str) -> ModuleType:
    """Import TensorRT or TensorRT-RTX; to be called before anything else imports `tensorrt_rtx`.

    Args:
        library: "tensorrt" or "tensorrt-rtx".

    Returns:
        The module `tensorrt` (10.0 or newer) or `tensorrt_rtx`: what we use of them has the same names in both.

    Raises:
        UsageError: no such library.
        BackendError: it is not installed, does not load, is too old for plugins of our kind, or `tensorrt_rtx` was
            imported before and its library can't be given the name its parser asks for.
    """
    if library not in LIBRARIES:
        raise UsageError(f"no library {library!r}; choose {' or '.join(LIBRARIES)}.")
    package = LIBRARIES[library]
    if library == "tensorrt-rtx" and sys.platform == "linux":
        _provide_missing_name()
    try:
        module = import_module(package.module)
    except (ImportError, OSError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == package.module:
            raise BackendError(f"{package.module} is not installed.\nInstall it:  {package.install}") from error
        raise BackendError(
            f"{package.module} is installed but does not load ({error}).\nInstall it anew:  {package.install}"
        ) from error
    if not hasattr(module, "IPluginCreatorV3One"):
        raise BackendError(
            f"{package.module} {tensorrt_version(module)} takes no IPluginV3; 10.0 or newer of TensorRT does.\n"
            f"Update it:  {package.install.replace('install', 'install --upgrade')}"
        )
    return module


def tensorrt_version(module: ModuleType) -> str:
    """Return the version of `tensorrt` or `tensorrt_rtx`, such as "10.15.1.29"."""
    return str(getattr(module, "__version__", "of unknown version"))


def can_override_importers(module: ModuleType) -> bool:
    """Tell whether a plugin may take over an operation that the parser knows itself: TensorRT 10.15, TensorRT-RTX."""
    return hasattr(module.OnnxParserFlag, "ENABLE_PLUGIN_OVERRIDE")


def compute_capabilities(module: ModuleType) -> dict[int, object]:
    """Return what TensorRT-RTX can compile for without the device, by number: {89: ComputeCapability.SM89, ...}.

    Empty for TensorRT, which compiles for the device it runs on.
    """
    names = getattr(getattr(module, "ComputeCapability", None), "__members__", {})
    return {int(name[2:]): value for name, value in names.items() if name.startswith("SM")}


@functools.cache
def _provide_missing_name() -> None:
    folder = _wheel_folder()
    if folder is None or (folder / MISSING_NAME).exists():
        return
    try:
        if _is_loaded(_file_of(folder, "libtensorrt_onnxparser_rtx.so.").name):
            _link_beside(folder)
        else:
            _load_through_links(folder)
    except OSError as error:
        raise BackendError(
            f"tensorrt_rtx would end this process at the first plugin: {MISSING_NAME} can't be provided ({error}).\n"
            f"Type:  ln -s {_file_of(folder, MISSING_NAME + '.').name} {folder / MISSING_NAME}"
        ) from error


def _wheel_folder() -> Path | None:
    """Return the folder of the wheel's libraries, None where they come from elsewhere."""
    spec = importlib.util.find_spec("tensorrt_rtx_libs")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))).resolve()
    return folder if any(folder.glob(MISSING_NAME + ".*")) else None


def _file_of(folder: Path, prefix: str) -> Path:
    found = sorted(folder.glob(prefix + "*"))
    if not found:
        raise FileNotFoundError(f"no {prefix}* in {folder}")
    return found[0]


def _is_loaded(name: str) -> bool:
    try:
        ctypes.CDLL(name, os.RTLD_NOW | os.RTLD_NOLOAD)
    except OSError:
        return False
    return True


def _load_through_links(folder: Path) -> None:
    """Load the wheel's two libraries by other paths; whoever opens the wheel's files later gets these."""
    core, parser = _file_of(folder, MISSING_NAME + "."), _file_of(folder, "libtensorrt_onnxparser_rtx.so.")
    links = Path(tempfile.mkdtemp(prefix="cvqe-tensorrt-rtx-"))
    # needed until the first plugin is added, which may be at any time
    atexit.register(_remove, links, os.getpid())
    for name, library in ((core.name, core), (MISSING_NAME, core), (parser.name, parser)):
        (links / name).symlink_to(library)
    for library in (core, parser):
        ctypes.CDLL(str(links / library.name))


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not in a fork of the process that still needs it
        shutil.rmtree(folder, ignore_errors=True)


def _link_beside(folder: Path) -> None:
    """Write the missing name into the wheel's own folder: the parser is loaded already and looks nowhere else."""
    link = folder / MISSING_NAME
    link.symlink_to(_file_of(folder, MISSING_NAME + ".").name)
    log.info("tensorrt_rtx was imported before load_tensorrt; wrote %s, which its parser needs", link)
