"""How far a build is, and the way to stop one: Ctrl-C ends it at the next step instead of at its end."""

import logging
import time
from types import ModuleType
from typing import Any

log = logging.getLogger(__name__)
TELL_EVERY_S = 2.0


def create_monitor(trt: ModuleType) -> Any:
    """Return an IProgressMonitor; `was_stopped` tells whether Ctrl-C ended the build."""

    base: Any = trt.IProgressMonitor

    class Monitor(base):
        """Tells the outermost phase's steps."""

        def __init__(self) -> None:
            base.__init__(self)
            self.was_stopped = False
            self._told = time.monotonic()
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            """Note a phase that stands in no other; TensorRT calls it, from any thread."""
            if not parent_phase:
                self._steps[phase_name] = num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            """Tell a step of an outermost phase; False ends the build."""
            try:
                now = time.monotonic()
                if phase_name in self._steps and now - self._told >= TELL_EVERY_S:
                    self._told = now
                    log.info("%s: step %d of %d", phase_name, step + 1, self._steps[phase_name])
            except KeyboardInterrupt:  # an exception can't cross TensorRT's own code
                self.was_stopped = True
            return not self.was_stopped

        def phase_finish(self, phase_name: str) -> None:
            """Forget a phase."""
            self._steps.pop(phase_name, None)

    return Monitor()
