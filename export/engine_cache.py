"""Engines that are there already: the key of a request, and the two renames that publish an engine.

    lock m.engine.lock -> same key and checksum there? use it : build -> rename m.engine -> rename m.engine.json

A crash between the renames leaves an engine whose manifest is missing or names another checksum: it is never loaded
(runtime/engine_file.py), and the next build replaces it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvqe.engine_manifest import EngineManifest, manifest_path
from cvqe.errors import CvqeError
from cvqe.whole_file import write_whole
from runtime.engine_file import EngineFile, load_engine_file


def request_key(request: Mapping[str, Any]) -> str:
    """Return the checksum of everything an engine is made from and for; the order of the facts does not matter."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def find_built(path: Path, key: str) -> tuple[EngineFile | None, str]:
    """Return the engine at `path` when it is whole and was made for this very request; else why it is built anew."""
    if not path.exists():
        return None, ""
    try:
        engine = load_engine_file(path)
    except CvqeError as error:
        return None, str(error).splitlines()[0]
    if engine.manifest.key != key:
        return None, f"{path} was built for another request"
    return engine, ""


def publish(path: Path, content: bytes, manifest: EngineManifest) -> EngineFile:
    """Put an engine and its manifest under their final names; to be called under the engine's lock.

    Raises:
        CvqeError: they can't be written.
    """
    try:
        write_whole(path, content)
        write_whole(manifest_path(path), manifest.to_json().encode())
    except OSError as error:
        raise CvqeError(
            f"{path} can't be written ({error.strerror}); free some space, or choose another place:  "
            "--saveEngine=FILE.engine"
        ) from error
    return EngineFile(path, manifest, content)
