"""The identity of our plugin."""

import pytest

from export.plugin_code import modules_of, plugin_sha256


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "plugins" / "one"
    folder.mkdir(parents=True)
    (folder / "entry.py").write_text("import os\nfrom plugins.one.kernel import run\nfrom cvqe import errors\n")
    (folder / "kernel.py").write_text("def run():\n    from plugins.one import late\n    return late, entry\n")
    (folder / "late.py").write_text("from plugins.one.entry import run\n")  # a circle
    (folder / "other.py").write_text("")
    return tmp_path


def test_all_that_is_imported_counts_and_nothing_else(root):
    assert modules_of(["plugins.one.entry"], root) == {"plugins.one.entry", "plugins.one.kernel", "plugins.one.late"}


@pytest.mark.parametrize("name, matters", [("entry", True), ("kernel", True), ("late", True), ("other", False)])
def test_the_checksum_changes_with_what_counts(root, name, matters):
    before = plugin_sha256(["plugins.one.entry"], root)
    assert before == plugin_sha256(["plugins.one.entry"], root)
    with (root / "plugins" / "one" / f"{name}.py").open("a") as file:
        file.write("# changed\n")
    assert (plugin_sha256(["plugins.one.entry"], root) != before) is matters


def test_our_own_plugin_counts_its_kernels():
    found = modules_of(["plugins.deform_conv.tensorrt_plugin", "plugins.deform_conv.onnx_nodes"])
    assert {"plugins.deform_conv.problem", "plugins.deform_conv.onnx_nodes"} < found
    assert not any("openvino" in name for name in found)
