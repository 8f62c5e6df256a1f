"""Which network file to run: by path, or by name and QP among the shipped ones."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from glob import escape
from pathlib import Path
from shlex import quote

import onnx

from cvqe.errors import BackendError, ModelError, UsageError
from cvqe.manifest import ENHANCED, GUIDE, HIDDEN, QP, QUANTISED, WINDOW, Manifest, manifest_from_properties
from cvqe.pixels import with_pixel_ends

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
DEFAULT_MODEL = "live"
ENGINE_SUFFIX = ".engine"
_CALIBRATED = tuple(
    f"_{precision}" for precision in QUANTISED
)  # ends of names: files that stand beside a network's own


@dataclass(frozen=True)
class ModelFile:
    """An exported network: its bytes and what it says of itself; a TensorRT engine's bytes are not here."""

    path: Path
    manifest: Manifest
    content: bytes

    @property
    def is_engine(self) -> bool:
        """Whether it is a TensorRT engine, which only its own library can run."""
        return self.path.suffix == ENGINE_SUFFIX

    @cached_property
    def sha256(self) -> str:
        """Checksum of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def for_bit_depth(self, bit_depth: int) -> "ModelFile":
        """Return the network for samples of this many bits: bytes up to 8, byte pairs above.

        The two differ in their first and last few nodes only, which are exchanged here.

        Raises:
            ModelError: it is an engine, which can't be exchanged in part.
        """
        stored = 8 if bit_depth <= 8 else 16
        if stored == self.manifest.bit_depth:
            return self
        if self.is_engine:
            raise ModelError(
                f"{self.path} takes samples of {self.manifest.bit_depth} bits, but the video's need {stored}. "
                f"Build one for it:  python export/build_engine.py --onnx=FILE.onnx --bitDepth={stored}"
            )
        model = with_pixel_ends(onnx.load_from_string(self.content), stored, self.manifest.window_frames)
        return replace(self, manifest=replace(self.manifest, bit_depth=stored), content=model.SerializeToString())

    def refuse_custom_nodes(self, library: str) -> None:
        """Refuse a file that holds our own deformable convolution, for a library that has no plugin of ours.

        Raises:
            BackendError: it was exported with --deform-conv custom.
        """
        if self.manifest.deform_conv != "custom":
            return
        standard = self.path.with_name(f"{self.path.stem}_standard.onnx")
        precision = "" if self.manifest.precision == "fp32" else f" --precision {self.manifest.precision}"
        raise BackendError(
            f"{self.path} holds the op CvqeDeformConv, which {library} can't run: TensorRT with our plugin alone does. "
            "Export it with the standard's:  python export/to_onnx.py --deform-conv standard"
            f"{precision} --checkpoint {quote(str(self.path))} --output {quote(str(standard))}"
        )


def load_model_file(path: Path) -> ModelFile:
    """Read an ONNX file that export/to_onnx.py wrote.

    Raises:
        UsageError: there is no such file, or its kind is not run here.
        ModelError: it is no ONNX file, or not one of ours.
    """
    if path.suffix == ".engine":
        raise UsageError(f"{path} is a TensorRT engine, not a network to load; give the .onnx it was built from.")
    if path.suffix != ".onnx":
        raise UsageError(
            f"{path} is no .onnx file; give one that export/to_onnx.py wrote, or a shipped network's name."
        )
    if not path.is_file():
        raise UsageError(f"{path} is no file. Export it:  python export/to_onnx.py --output {path}")
    content = path.read_bytes()
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's own errors have no common public parent
        raise ModelError(f"{path} does not open as ONNX; export it again:  python export/to_onnx.py") from error
    manifest = manifest_from_properties({entry.key: entry.value for entry in model.metadata_props}, str(path))
    _refuse_foreign_ends(model, manifest, path)
    return ModelFile(path, manifest, content)


def _refuse_foreign_ends(model: onnx.ModelProto, manifest: Manifest, path: Path) -> None:
    inputs, outputs = ([value.name for value in values] for values in (model.graph.input, model.graph.output))
    takes = {QP: manifest.takes_qp, GUIDE: manifest.takes_guide, HIDDEN: manifest.is_recurrent}
    is_ours = inputs[:1] == [WINDOW] and outputs[:1] == [ENHANCED]
    if not is_ours or any((name in inputs) != is_taken for name, is_taken in takes.items()):
        wanted, unwanted = ([repr(name) for name in takes if takes[name] == is_taken] for is_taken in (True, False))
        without = f" without {' or '.join(unwanted)}" if unwanted else ""
        raise ModelError(
            f"{path} takes {inputs} and gives {outputs}; {' and '.join([repr(WINDOW), *wanted])}{without}, and "
            f"{ENHANCED!r}, were expected. Export it again:  python export/to_onnx.py"
        )
    _refuse_other_window(model.graph.input[0], manifest, path)


def _refuse_other_window(window: onnx.ValueInfoProto, manifest: Manifest, path: Path) -> None:
    """Compare the first input with what the file says of itself."""
    kind = window.type.tensor_type
    n_frames = [each.dim_value for each in kind.shape.dim][1:2]
    if kind.elem_type != onnx.TensorProto.UINT8 or n_frames not in ([manifest.window_frames], [0]):
        found = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
        raise ModelError(
            f"{path}: its {WINDOW!r} is {found} of {n_frames or 'no'} frames; uint8 of {manifest.window_frames} frames "
            "was expected. Export it again:  python export/to_onnx.py"
        )


def find_model(name: str, qp: int | None = None, folder: Path = WEIGHTS) -> ModelFile:
    """Load a model by path (`FILE.onnx`) or by a shipped network's name; of several QPs, the nearest to `qp`.

    Raises:
        UsageError: neither a file nor a shipped network.
        ModelError: the file is damaged or foreign.
    """
    return nearest_version(model_versions(name, folder), qp)


def model_versions(name: str, folder: Path = WEIGHTS) -> list[ModelFile]:
    """Load a model by path, or all files of a shipped network: one, or one for each QP it was trained at.

    Raises:
        UsageError, ModelError: as in `find_model`.
    """
    if Path(name).suffix or Path(name).exists():
        return [load_model_file(Path(name))]
    of_qps = [path for path in folder.glob(f"{escape(name)}_qp*.onnx") if not path.stem.endswith(_CALIBRATED)]
    versions = [load_model_file(path) for path in sorted([*folder.glob(f"{escape(name)}.onnx"), *of_qps])]
    if not versions:
        shipped = ", ".join(sorted(path.stem for path in folder.glob("*.onnx"))) or "none"
        raise UsageError(
            f"no network {name!r} is shipped ({shipped} is). Export one from a checkpoint:  "
            f"python export/to_onnx.py --checkpoint FILE --model {name} --output {name}.onnx"
        )
    return versions


def nearest_version(versions: Sequence[ModelFile], qp: int | None) -> ModelFile:
    """Return the file trained nearest to a QP."""
    return min(versions, key=lambda version: _distance(version.manifest.qp, qp))


def _distance(trained: Sequence[int], qp: int | None) -> int:
    """Return how far a QP lies outside those trained on; an unknown one is taken as the field's usual 37."""
    wanted = 37 if qp is None else qp
    if not trained:
        return 0
    return max(min(trained) - wanted, wanted - max(trained), 0)
