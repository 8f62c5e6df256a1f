"""What TensorRT says: kept for our error messages, and shown as far as logging is asked to."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

log = logging.getLogger(__name__)
# said by TensorRT-RTX of every build, whatever is asked for
NOISE = ("Thread context has not been set", "HardwareCompatibilityLevel() is unsupported", "[MS] Multi stream is")


@dataclass
class TensorRtLog:
    """TensorRT's logger, as `logger`, and the errors it was told since they were last taken."""

    logger: Any = None
    errors: list[str] = field(default_factory=list)

    def take_errors(self) -> list[str]:
        """Return the errors so far, each once, and forget them."""
        taken = list(dict.fromkeys(self.errors))
        self.errors.clear()
        return taken


@functools.cache
def tensorrt_log(trt: ModuleType) -> TensorRtLog:
    """Return the one logger of this process: TensorRT keeps the first it is given and sends everything there."""
    kept = TensorRtLog()
    severities = trt.ILogger
    is_error = (severities.INTERNAL_ERROR, severities.ERROR)
    # errors are told in the error message, if there will be one; warnings are of TensorRT's inner life
    levels = {severities.WARNING: logging.INFO, severities.VERBOSE: logging.DEBUG - 1}

    def receive(severity: Any, message: str) -> None:
        if any(noise in message for noise in NOISE):
            return
        if severity in is_error:
            kept.errors.append(message.strip())
        log.log(levels.get(severity, logging.DEBUG), "%s", message.strip())

    kept.logger = _logger_class(trt)(receive)
    return kept


def _logger_class(trt: ModuleType) -> type:
    """Return the class; its parent comes from a module that is not known before run time."""

    base: Any = trt.ILogger

    class Logger(base):
        """Hands every message on."""

        def __init__(self, receive: Callable[[Any, str], None]) -> None:
            base.__init__(self)
            self._receive = receive

        def log(self, severity: Any, msg: str) -> None:
            """Take a message; TensorRT calls it, from any thread."""
            self._receive(severity, msg)

    return Logger
