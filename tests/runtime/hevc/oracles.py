"""Programs that the parser is compared with: a test without one is skipped, unless REQUIRE_ORACLES is set, as CI does.

Then it runs and fails: what compared nothing must not look like what found no difference.
"""

import os

import pytest

from tests.runtime.hevc import libde265
from tests.runtime.hevc.streams import kvazaar_binary

REQUIRED = bool(os.environ.get("REQUIRE_ORACLES"))
if REQUIRED:
    import numba  # noqa: F401  # without it whole modules are skipped

needs_libde265 = pytest.mark.skipif(
    libde265.library_path() is None and not REQUIRED, reason="pi-heif, which carries libde265, is not installed"
)
needs_kvazaar = pytest.mark.skipif(
    kvazaar_binary() is None and not REQUIRED, reason="imageio-ffmpeg has no ffmpeg with Kvazaar here"
)
