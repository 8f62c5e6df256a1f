"""What an engine is fit for: why one can't run here, or does not take these frames."""

from pathlib import Path

from cvqe.engine_manifest import EngineManifest, Shape, capability_text
from cvqe.manifest import Manifest

PLAIN_PRECISIONS = ("fp32", "fp16", "bf16")


def mismatch(manifest: EngineManifest, library: str, version: str | None, compute_capability: int | None) -> str | None:
    """Say why an engine can't run under this library on this GPU, None where it can."""
    if manifest.library != library:
        return f"is for {manifest.library}, not for {library}"
    if version is not None and not _runs_under(manifest, version):
        return f"was built by {library} {manifest.library_version}, but {version} is installed"
    if compute_capability is not None and not runs_on(manifest, compute_capability):
        built = ", ".join(map(capability_text, manifest.compute_capabilities))
        return f"is for compute capability {built}, but the GPU here has {capability_text(compute_capability)}"
    return None


def foreign_network(manifest: EngineManifest, onnx_sha256: str | None, bit_depth: int | None = None) -> str | None:
    """Say why an engine does not stand for an ONNX file at a bit depth, None where it does."""
    if onnx_sha256 is not None and manifest.onnx_sha256 != onnx_sha256:
        return (
            f"was built from another {Path(manifest.onnx).name} (sha256 {manifest.onnx_sha256[:12]}, "
            f"{onnx_sha256[:12]} was expected)"
        )
    if bit_depth is not None and manifest.network.bit_depth != bit_depth:
        return f"takes samples of {manifest.network.bit_depth} bits, {bit_depth} are needed"
    return None


def has_weights_of(manifest: EngineManifest, network: Manifest) -> bool:
    """Say whether an engine holds the same weights as a network, perhaps exported again in 16 bits."""
    told = manifest.network

    def identity(each: Manifest) -> tuple[object, ...]:
        inputs = each.radius, each.neighbors, each.takes_qp, each.takes_guide
        return each.network, dict(each.options), each.checkpoint_sha256, inputs

    is_plain = told.precision in (network.precision, *PLAIN_PRECISIONS)  # 8 bits have scales of their own
    return bool(told.checkpoint_sha256) and is_plain and identity(told) == identity(network)


def other_precision(manifest: EngineManifest, wanted: str) -> str | None:
    """Say that an engine computes in another precision than wanted, None where it does not; "auto" wants any."""
    return None if wanted in ("auto", manifest.precision) else f"computes in {manifest.precision}, not in {wanted}"


def foreign_size(manifest: EngineManifest, height: int, width: int) -> str | None:
    """Say why an engine does not take frames of this size, None where it does."""
    if manifest.window.holds(window_shape(manifest.network, height, width)):
        return None
    return f"takes {manifest.window}, but the frames are {width}x{height}"


def runs_on(manifest: EngineManifest, compute_capability: int) -> bool:
    """Say whether a GPU of this compute capability is among those an engine is for."""
    if compute_capability in manifest.compute_capabilities:
        return True
    return manifest.is_portable and compute_capability >= min(manifest.compute_capabilities)


def window_shape(network: Manifest, height: int, width: int) -> Shape:
    """Return the shape of a window of frames of this size: [1, 2R+1, H, W], or [1, 2R+1, H, W, 2] for byte pairs."""
    tail = (2,) if network.bit_depth == 16 else ()
    return (1, network.window_frames, height, width, *tail)


def stored_bits(bit_depth: int) -> int:
    """Return the bits that samples of a depth are stored in: 8, or 16 for byte pairs."""
    return 8 if bit_depth <= 8 else 16


def _runs_under(manifest: EngineManifest, version: str) -> bool:
    if manifest.build.get("versionCompatible"):
        return _numbers(version) >= _numbers(manifest.library_version)
    return version == manifest.library_version


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
