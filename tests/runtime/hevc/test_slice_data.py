"""What Numba's cache of the parser is keyed by."""

import subprocess
import sys
from pathlib import Path

from runtime.hevc.slice_data import SOURCES

ROOT = Path(__file__).parents[3]
_LOADED = """
import sys
import runtime.hevc.slice_data
print(*(name.removeprefix("runtime.hevc.") for name in sys.modules if name.startswith("runtime.hevc.")))
"""


def test_every_module_that_is_compiled_is_in_the_caches_key():
    loaded = subprocess.run([sys.executable, "-c", _LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(loaded.stdout.split()) == sorted(SOURCES)
