"""The device while a network is being loaded onto it: kept when that works, given back when it does not."""

from collections.abc import Iterator
from contextlib import contextmanager

from cvqe.errors import BackendError, CvqeError
from runtime.cuda.driver import Cuda, open_cuda
from runtime.engine import last_words


@contextmanager
def device_of_network(problem: str) -> Iterator[Cuda]:
    """Open the device for the body; whoever got a network keeps it.

    Args:
        problem: the beginning of the sentence for what a library raises, as in "torch can't run live.onnx".

    Raises:
        BackendError: there is no device, or the body failed with something of a library's.
        CvqeError: raised by the body itself.
    """
    cuda = open_cuda()
    try:
        yield cuda
    except CvqeError:
        cuda.close()
        raise
    except Exception as error:  # the libraries' exceptions have no common public parent
        cuda.close()
        raise BackendError(f"{problem}: {last_words(error)}") from error
