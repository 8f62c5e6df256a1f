"""Engine files: only what fits and is whole is handed out, everything else with the command that mends it."""

import re
import shlex
from dataclasses import replace

import pytest

from cvqe.engine_manifest import ShapeRange, manifest_path
from cvqe.errors import BackendError, ModelError, UsageError
from export.build_engine import parse_args
from runtime.engine_file import (
    EngineFile,
    build_command,
    load_engine_file,
    rebuild_command,
    search_engine_files,
    sizes_at_hand,
)
from runtime.model_file import load_model_file
from tests.engines import engine_manifest, network_manifest, save_engine, save_small_network

RTX = ("tensorrt-rtx", "1.7.1.116", 89)


def command_in(message):
    """Return the options that build_engine.py reads from the command that a message advises."""
    command = re.search(r"python export/build_engine\.py [^\n]*", str(message))
    assert command, message
    return parse_args(shlex.split(command[0])[2:])


def test_an_engine_and_its_manifest_are_read_together(tmp_path):
    told = save_engine(tmp_path / "m.engine", b"bytes of an engine")
    engine = load_engine_file(tmp_path / "m.engine")
    assert engine == EngineFile(tmp_path / "m.engine", told, b"bytes of an engine")
    assert engine.manifest.network.window_frames == 7
    engine.check(*RTX, 64, 96, "3" * 64)


def test_a_damaged_engine_is_not_loaded(tmp_path):
    path = tmp_path / "a folder" / "m.engine"
    path.parent.mkdir()
    save_engine(path, b"bytes of an engine")
    path.write_bytes(b"bytes of an ENGINE")
    with pytest.raises(ModelError, match="damaged or another engine") as error:
        load_engine_file(path)
    options = command_in(error.value)
    assert options.save_engine == path
    assert options.onnx == path.with_name("small.onnx")
    assert options.shapes.opt_shapes == {"window": (1, 7, 64, 96)}
    assert options.compute_capabilities == (89,)
    assert options.force


def test_another_engines_manifest_is_not_believed(tmp_path):
    save_engine(tmp_path / "a.engine", b"one")
    save_engine(tmp_path / "b.engine", b"two")
    manifest_path(tmp_path / "a.engine").replace(manifest_path(tmp_path / "b.engine"))
    with pytest.raises(ModelError, match="another engine"):
        load_engine_file(tmp_path / "b.engine")
    with pytest.raises(ModelError, match="has no manifest") as error:
        load_engine_file(tmp_path / "a.engine")
    assert command_in(error.value).save_engine == tmp_path / "a.engine"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'{"format": 1}', b"[]"])
def test_a_manifest_that_does_not_parse_is_explained(tmp_path, content):
    save_engine(tmp_path / "m.engine")
    manifest_path(tmp_path / "m.engine").write_bytes(content)
    with pytest.raises(ModelError) as error:
        load_engine_file(tmp_path / "m.engine")
    assert command_in(error.value).save_engine == tmp_path / "m.engine"


def test_no_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="is no file") as error:
        load_engine_file(tmp_path / "m.engine")
    assert command_in(error.value).save_engine == tmp_path / "m.engine"


@pytest.mark.parametrize(
    "library, version, capability, words",
    [
        ("tensorrt", "10.15.1", 89, "is for tensorrt-rtx, not for tensorrt"),
        ("tensorrt-rtx", "1.8.0.1", 89, "was built by tensorrt-rtx 1.7.1.116, but 1.8.0.1 is installed"),
        ("tensorrt-rtx", "1.7.1.116", 120, "is for compute capability 8.9, but the GPU here has 12.0"),
    ],
)
def test_an_engine_that_cannot_run_here_is_refused(tmp_path, library, version, capability, words):
    save_engine(tmp_path / "m.engine")
    with pytest.raises(BackendError, match=re.escape(words)) as error:
        load_engine_file(tmp_path / "m.engine").check(library, version, capability, 64, 96)
    assert command_in(error.value).library == library


def test_frames_of_another_size_are_refused_with_the_command_for_them(tmp_path):
    save_engine(tmp_path / "m.engine", onnx="../small.onnx")
    with pytest.raises(ModelError, match="takes 1x7x64x96, but the frames are 1920x1080") as error:
        load_engine_file(tmp_path / "m.engine").check(*RTX, 1080, 1920)
    options = command_in(error.value)
    assert options.shapes.opt_shapes == {"window": (1, 7, 1080, 1920)}
    assert options.onnx == tmp_path.parent / "small.onnx"
    assert options.save_engine == tmp_path / "m_1920x1080.engine"  # m.engine still serves its own size


def test_deeper_frames_are_refused_with_the_command_for_them(tmp_path):
    save_engine(tmp_path / "m.engine")
    engine = load_engine_file(tmp_path / "m.engine")
    engine.check(*RTX, 64, 96, bit_depth=8)
    with pytest.raises(ModelError, match="takes samples of 8 bits, 16 are needed") as error:
        engine.check(*RTX, 64, 96, bit_depth=10)
    options = command_in(error.value)
    assert options.shapes.opt_shapes == {"window": (1, 7, 64, 96, 2)}
    assert options.bit_depth == 16


def test_another_onnx_file_is_refused(tmp_path):
    save_engine(tmp_path / "m.engine")
    with pytest.raises(ModelError, match=r"was built from another small\.onnx"):
        load_engine_file(tmp_path / "m.engine").check(*RTX, 64, 96, "5" * 64)


@pytest.fixture
def model(tmp_path):
    return load_model_file(save_small_network(tmp_path / "small.onnx"))


def test_the_engine_made_for_this_size_is_preferred(tmp_path, model):
    sizes = ShapeRange((1, 7, 32, 32), (1, 7, 720, 1280), (1, 7, 1080, 1920))
    save_engine(tmp_path / "a.engine", b"exact", onnx_sha256=model.sha256)
    save_engine(tmp_path / "b.engine", b"range", onnx_sha256=model.sha256, profile={"window": sizes}, date="2027")
    found = search_engine_files(model, 64, 96, "tensorrt-rtx", 89, [tmp_path]).engine
    assert found and found.content == b"exact"
    found = search_engine_files(model, 66, 96, "tensorrt-rtx", 89, [tmp_path]).engine
    assert found and found.content == b"range"


def test_an_engine_of_the_same_weights_in_another_plain_precision_stands_for_the_network(tmp_path, model):
    exported_again = replace(model.manifest, precision="fp32")
    save_engine(tmp_path / "again.engine", b"again", onnx_sha256="6" * 64, network=exported_again)
    found = search_engine_files(model, 64, 96, "tensorrt-rtx", 89, [tmp_path]).engine
    assert found and found.content == b"again"
    save_engine(tmp_path / "same.engine", b"same", onnx_sha256=model.sha256, network=model.manifest)
    found = search_engine_files(model, 64, 96, "tensorrt-rtx", 89, [tmp_path]).engine
    assert found and found.content == b"same"  # what was built from the file itself comes first
    search = search_engine_files(model, 64, 96, "tensorrt-rtx", 89, [tmp_path], precision="fp32")
    assert search.engine and search.engine.content == b"again"
    assert search.passed_over == ("same.engine computes in fp16, not in fp32",)


@pytest.mark.parametrize("change", [{"checkpoint_sha256": "9" * 64}, {"precision": "int8"}, {"options": {"wide": 1}}])
def test_other_weights_or_8_bits_do_not_stand_for_it(tmp_path, model, change):
    save_engine(tmp_path / "other.engine", onnx_sha256="6" * 64, network=replace(model.manifest, **change))
    assert search_engine_files(model, 64, 96, "tensorrt-rtx", 89, [tmp_path]).engine is None


def test_sizes_at_hand_are_those_of_engines_of_this_network(tmp_path, model):
    save_engine(tmp_path / "a.engine", onnx_sha256=model.sha256, network=model.manifest)
    save_engine(tmp_path / "b.engine", network=network_manifest(checkpoint_sha256="9" * 64))
    (tmp_path / "c.engine").write_bytes(b"no manifest")
    assert sizes_at_hand(model, [tmp_path]) == [(64, 96)]
    as_engine = replace(model, path=tmp_path / "a.engine", content=b"")
    assert sizes_at_hand(as_engine) == [(64, 96)]


def test_why_others_do_not_fit_is_told(tmp_path, model):
    save_engine(tmp_path / "a.engine", onnx_sha256="6" * 64, network=network_manifest(checkpoint_sha256="9" * 64))
    save_engine(tmp_path / "b.engine", onnx_sha256=model.sha256, compute_capabilities=(75,))
    save_engine(tmp_path / "c.engine", onnx_sha256=model.sha256, network=network_manifest(bit_depth=16))
    save_engine(tmp_path / "d.engine", onnx_sha256=model.sha256, library="tensorrt")
    save_engine(tmp_path / "e.engine", onnx_sha256=model.sha256, library_version="1.6")
    save_engine(tmp_path / "f.engine", onnx_sha256=model.sha256)
    (tmp_path / "f.engine").write_bytes(b"damaged")
    (tmp_path / "g.engine").write_bytes(b"no manifest")
    search = search_engine_files(model, 64, 96, *RTX[::2], [tmp_path], RTX[1])
    assert search.engine is None
    reasons = dict(zip("abcdefg", search.passed_over, strict=True))
    for name, words in {
        "a": "a.engine was built from another small.onnx",
        "b": "b.engine is for compute capability 7.5",
        "c": "c.engine takes samples of 16 bits, 8 are needed",
        "d": "d.engine is for tensorrt, not for tensorrt-rtx",
        "e": "e.engine was built by tensorrt-rtx 1.6",
        "f": "damaged or another engine",
        "g": "no manifest",
    }.items():
        assert words in reasons[name]


def test_a_network_of_another_depth_finds_the_engine_of_the_same_file(tmp_path, model):
    deep = ShapeRange(*[(1, 7, 64, 96, 2)] * 3)
    save_engine(
        tmp_path / "m.engine",
        onnx_sha256=model.sha256,
        network=network_manifest(bit_depth=16),
        profile={"window": deep, "peak": ShapeRange((), (), ())},
    )
    assert search_engine_files(model, 64, 96, "tensorrt-rtx", 89, [tmp_path]).engine is None
    found = search_engine_files(model.for_bit_depth(10), 64, 96, "tensorrt-rtx", 89, [tmp_path]).engine
    assert found and found.path == tmp_path / "m.engine"


def test_a_folder_that_is_not_there_holds_nothing(tmp_path, model):
    assert search_engine_files(model, 64, 96, "tensorrt-rtx", 89, [tmp_path / "none"]).passed_over == ()


@pytest.mark.parametrize("bit_depth, shape", [(8, (1, 7, 1080, 1920)), (16, (1, 7, 1080, 1920, 2))])
def test_the_command_to_build_says_what_was_asked(tmp_path, bit_depth, shape):
    model = tmp_path / "it's a file.onnx"
    command = build_command(model, 1080, 1920, "tensorrt-rtx", network_manifest(bit_depth=bit_depth))
    options = command_in(command)
    assert (options.onnx, options.library, options.save_engine) == (model, "tensorrt-rtx", None)
    assert options.shapes.opt_shapes == {"window": shape}
    assert options.bit_depth in (None, bit_depth)


def test_the_command_to_build_again_keeps_the_whole_configuration(tmp_path):
    told = engine_manifest(
        build={
            "memPoolSize": "workspace:1048576B",
            "noFusedMasks": True,
            "maxAuxStreams": 0,
            "profilingVerbosity": None,
        },
        profile={
            "window": ShapeRange((1, 7, 8, 8), (1, 7, 64, 96), (1, 7, 99, 99)),
            "qp": ShapeRange((1,), (1,), (1,)),
        },
    )
    options = command_in(rebuild_command(tmp_path / "m.engine", told))
    assert options.build.memory_pools == {"workspace": 2**20}
    assert (options.build.fused_masks, options.build.max_aux_streams) == (False, 0)
    assert options.shapes.min_shapes == {"window": (1, 7, 8, 8), "qp": (1,)}
    assert options.shapes.max_shapes == {"window": (1, 7, 99, 99), "qp": (1,)}
