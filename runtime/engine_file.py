"""An engine file and its manifest: read together, checked, and told apart from those that do not fit.

An engine whose checksum is not the one its manifest names is never handed out, so no moment between the two renames
of export/build_engine.py can be mistaken for a finished build.
"""

import hashlib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cvqe.engine_manifest import (
    EngineManifest,
    capability_text,
    engine_manifest_from_json,
    manifest_path,
    shape_text,
)
from cvqe.errors import BackendError, CvqeError, ModelError, UsageError
from cvqe.manifest import WINDOW, Manifest
from runtime.engine_fit import (
    foreign_network,
    foreign_size,
    has_weights_of,
    mismatch,
    other_precision,
    stored_bits,
    window_shape,
)
from runtime.model_file import ModelFile

ENGINES = Path(__file__).resolve().parents[1] / "engines"


@dataclass(frozen=True)
class EngineFile:
    """An engine as it lies on disk: its bytes are those its manifest was written for."""

    path: Path
    manifest: EngineManifest
    content: bytes

    def check(
        self,
        library: str,
        version: str,
        compute_capability: int | None,
        height: int,
        width: int,
        onnx_sha256: str | None = None,
        bit_depth: int | None = None,
    ) -> None:
        """Refuse the engine where it can't run, or would not enhance these frames.

        Args:
            library: the one that is to run it, `tensorrt` or `tensorrt-rtx`.
            version: of that library, as `tensorrt_version` tells it.
            compute_capability: of the GPU, 89 for 8.9; None leaves it open.
            height: of a frame, px; so is `width`.
            onnx_sha256: of the ONNX file that it is to stand for; None leaves it open.
            bit_depth: of the frames' samples, 8 to 16; None leaves it open.

        Raises:
            BackendError: another library, version or GPU.
            ModelError: another frame size, bit depth or ONNX file. Both say how to build the one needed.
        """
        reason = mismatch(self.manifest, library, version, compute_capability)
        if reason:
            raise BackendError(self._with_command(reason, height, width, library, bit_depth, self.path))
        stored = bit_depth and stored_bits(bit_depth)
        reason = foreign_network(self.manifest, onnx_sha256, stored) or foreign_size(self.manifest, height, width)
        if reason:
            beside = self.path.with_name(f"{self.path.stem}_{width}x{height}.engine")  # this one still serves its own
            raise ModelError(self._with_command(reason, height, width, library, bit_depth, beside))

    def _with_command(
        self, reason: str, height: int, width: int, library: str, bit_depth: int | None, target: Path
    ) -> str:
        network = self.manifest.network
        if bit_depth is not None:
            network = replace(network, bit_depth=stored_bits(bit_depth))
        model = onnx_path(self.path, self.manifest)
        command = build_command(model, height, width, library, network, target)
        return f"{self.path} {reason}.\nBuild one for it:  {command}"


@dataclass(frozen=True)
class EngineSearch:
    """What was found among engine files: the best that fits, and why each other one does not."""

    engine: EngineFile | None
    passed_over: tuple[str, ...]


def load_engine_file(path: Path) -> EngineFile:
    """Read an engine and its manifest.

    Raises:
        UsageError: there is no such file.
        ModelError: the manifest is missing, damaged or another engine's, or the engine is damaged.
    """
    if not path.is_file():
        raise UsageError(
            f"{path} is no file. Build it:  python export/build_engine.py --onnx=FILE.onnx --saveEngine={_quoted(path)}"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} can't be read ({error.strerror}); let this user read it:  chmod u+r {_quoted(path)}"
        ) from error
    manifest = load_engine_manifest(path)
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.engine_sha256:
        raise ModelError(
            f"{path} is damaged or another engine than its manifest tells of (sha256 {found[:12]}, {len(content):,} "
            f"bytes; {manifest.engine_sha256[:12]}, {manifest.engine_bytes:,} bytes expected).\n"
            f"Build it again:  {rebuild_command(path, manifest)}"
        )
    return EngineFile(path, manifest, content)


def load_engine_manifest(path: Path) -> EngineManifest:
    """Read the manifest beside the engine `path`, not the engine.

    Raises:
        ModelError: it is missing or does not parse.
    """
    beside = manifest_path(path)
    again = f"python export/build_engine.py --onnx=FILE.onnx --saveEngine={_quoted(path)} --force"
    try:
        text = beside.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ModelError(
            f"{path} has no manifest {beside.name} beside it, so what it is for is unknown. Build it again:  {again}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{beside} can't be read ({error}). Build the engine again:  {again}") from error
    try:
        return engine_manifest_from_json(text, str(beside))
    except ModelError as error:
        raise ModelError(f"{error} Build the engine again:  {again}") from error


def search_engine_files(
    model: ModelFile,
    height: int,
    width: int,
    library: str,
    compute_capability: int | None,
    folders: Sequence[Path] | None = None,
    version: str | None = None,
    precision: str = "auto",
) -> EngineSearch:
    """Look through *.engine for one of this network that runs here and takes frames of this size.

    One built from the very file is taken first, then one of the same weights exported in 16 bits; of several the one
    made for this very size, and the newest of those.

    Args:
        model: the network; its file on disk, its weights and its bit depth decide.
        height: of a frame, px; so is `width`.
        library: the one that is to run it, `tensorrt` or `tensorrt-rtx`.
        compute_capability: of the GPU, 89 for 8.9; None leaves it open.
        folders: where to look [engines/ of this project, and beside the model].
        version: of the library; None leaves it open.
        precision: "fp16" or another takes engines of that one alone.
    """
    source = hashlib.sha256(model.path.read_bytes()).hexdigest() if model.path.is_file() else model.sha256
    fitting, passed_over = [], []
    for path in _engines_in(folders if folders is not None else (ENGINES, model.path.parent)):
        try:
            told = load_engine_manifest(path)
            reason = (
                foreign_network(
                    told, None if has_weights_of(told, model.manifest) else source, model.manifest.bit_depth
                )
                or other_precision(told, precision)
                or mismatch(told, library, version, compute_capability)
                or foreign_size(told, height, width)
            )
            if reason:
                passed_over.append(f"{path.name} {reason}")
            else:
                fitting.append(load_engine_file(path))
        except CvqeError as error:
            passed_over.append(str(error).splitlines()[0])
    size = window_shape(model.manifest, height, width)

    def rank(engine: EngineFile) -> tuple[bool, bool, bool, str]:
        told = engine.manifest
        return told.onnx_sha256 == source, told.window.opt == size, told.window.is_static, told.date

    return EngineSearch(max(fitting, key=rank, default=None), tuple(passed_over))


def sizes_at_hand(model: ModelFile, folders: Sequence[Path] | None = None) -> list[tuple[int, int]]:
    """Return (height, width) that engines of this network are fast for, whether or not they run here."""
    if model.is_engine:
        return [_size_of(load_engine_manifest(model.path))]
    sizes = []
    for path in _engines_in(folders if folders is not None else (ENGINES, model.path.parent)):
        try:
            told = load_engine_manifest(path)
        except CvqeError:
            continue  # told, with the reason, by whoever looks for an engine to run
        if has_weights_of(told, model.manifest):
            sizes.append(_size_of(told))
    return sizes


def _size_of(manifest: EngineManifest) -> tuple[int, int]:
    height, width = manifest.window.opt[2:4]
    return height, width


def build_command(
    model: Path, height: int, width: int, library: str, network: Manifest, engine: Path | None = None
) -> str:
    """Return the line that builds an engine for frames of one size, ready to paste.

    Args:
        model: the ONNX file.
        height: of a frame, px; so is `width`.
        library: `tensorrt` or `tensorrt-rtx`.
        network: what the ONNX file says of itself, at the bit depth wanted.
        engine: where to put it; None: into engines/, under a name that says what it is for.
    """
    words = ["python", "export/build_engine.py", f"--onnx={model}"]
    if engine is not None:
        words.append(f"--saveEngine={engine}")
    words.append(f"--optShapes={WINDOW}:{shape_text(window_shape(network, height, width))}")
    if network.bit_depth != 8:
        words.append(f"--bitDepth={network.bit_depth}")
    return shlex.join([*words, f"--library={library}"])


def rebuild_command(path: Path, manifest: EngineManifest) -> str:
    """Return the line that builds an engine again as its manifest tells, ready to paste."""
    words = ["python", "export/build_engine.py", f"--onnx={onnx_path(path, manifest)}", f"--saveEngine={path}"]
    for flag, end in (("minShapes", "min"), ("optShapes", "opt"), ("maxShapes", "max")):
        shapes = {name: getattr(sizes, end) for name, sizes in manifest.profile.items()}
        words.append(f"--{flag}=" + ",".join(f"{name}:{shape_text(shape)}" for name, shape in shapes.items()))
    words += [f"--bitDepth={manifest.network.bit_depth}", f"--library={manifest.library}"]
    if manifest.library == "tensorrt-rtx" and not manifest.is_portable:
        words.append("--computeCapabilities=" + ",".join(map(capability_text, manifest.compute_capabilities)))
    for flag, value in manifest.build.items():
        if value is True:
            words.append(f"--{flag}")
        elif value is not None and value is not False:
            words.append(f"--{flag}={value}")
    return shlex.join([*words, "--force"])


def built_from(path: Path) -> Path:
    """Return the ONNX file that an engine was built from, as its manifest tells."""
    return onnx_path(path, load_engine_manifest(path))


def onnx_path(engine: Path, manifest: EngineManifest) -> Path:
    """Return where the ONNX file of an engine lay when it was built, seen from here."""
    return Path(os.path.normpath(engine.parent / manifest.onnx))


def _engines_in(folders: Sequence[Path]) -> list[Path]:
    found = {path.resolve(): path for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.engine"))}
    return list(found.values())


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
