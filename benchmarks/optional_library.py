"""A library that one measurement needs, and nothing else here."""

import importlib
from typing import Any

from cvqe.errors import CvqeError


class MissingLibraryError(CvqeError):
    """A library that is not installed, or lacks something that it needs itself."""


def optional_library(module: str, requirement: str) -> Any:
    """Import a module.

    Args:
        requirement: what pip is to be given for it.

    Raises:
        MissingLibraryError: it can't be imported.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        is_absent = isinstance(error, ModuleNotFoundError) and error.name == package
        what = "is not installed" if is_absent else f"can't be imported ({error})"
        raise MissingLibraryError(f"{package} {what}: pip install '{requirement}'") from error
