"""Errors of plugin callbacks, kept for the program that called TensorRT.

    callback raises --> kept here; TensorRT prints it to stderr, and fails with a code of its own or goes on without
    TensorRT has returned --> the program asks take_error()

What TensorRT-RTX 1.7 does with a Python exception, tried: create_plugin, get_output_data_types and get_output_shapes
make parse() fail; configure_plugin, get_valid_tactics and supports_format_combination make the build return None, all
with a message of TensorRT's own; get_workspace_size and get_fields_to_serialize count as empty, and an engine is built;
clone ends the process. None of the exceptions reaches TensorRT's logger.
"""

import functools
from collections.abc import Callable
from typing import Any

from cvqe.errors import CvqeError

_kept: list[Exception] = []


def take_error() -> Exception | None:
    """Return the first error that a callback of ours raised since the last call, and forget all of them.

    To be called when parse(), a build or an inference has returned, also when it seems to have succeeded. The rest are
    consequences of the first. Our own sentences are CvqeErrors, to be raised as they are.
    """
    first = _kept[0] if _kept else None
    _kept.clear()
    return first


def keep_error(error: Exception, node: str) -> Exception:
    """Keep an error and return what is kept: a sentence for the user begins with the name of the node."""
    kept = type(error)(f"node {node}: {error}") if isinstance(error, CvqeError) else error
    _kept.append(kept)
    return kept


def keeping_errors(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a method so that what it raises is also kept; its object has the name of the node as `node`."""

    @functools.wraps(callback)
    def kept(self: Any, *arguments: Any) -> Any:
        try:
            return callback(self, *arguments)
        except Exception as error:
            raise keep_error(error, self.node) from error

    return kept
