"""What the libraries behind a GPU's engine raise, as one sentence of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from cvqe.errors import BackendError, CvqeError
from runtime.engine import last_words


@contextmanager
def library_errors(problem: str) -> Iterator[None]:
    """Turn whatever is raised inside into a BackendError; our own errors stay what they are.

    Args:
        problem: the beginning of the sentence, as in "torch can't run live.onnx on the GPU".
    """
    try:
        yield
    except (CvqeError, AssertionError):
        raise
    except Exception as error:  # the libraries' exceptions have no common public parent
        raise BackendError(f"{problem}: {last_words(error)}") from error
