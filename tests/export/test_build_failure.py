"""Failed builds, explained; the messages are TensorRT's own."""

import re

import pytest

from export.build_engine import parse_args
from export.build_failure import OTHERWISE, REMEDIES, failed_build, named_node, remedy

NO_WORKSPACE = (
    "IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([tactic.cpp:1676: enumerate_tactics] Tactic Selection: no "
    "tactics to implement the operation within workspace limit. Consider increase the allowed workspace size)"
)
NO_NODE = "Error Code 10: Internal Error (Could not find any implementation for node {ForeignNode[/conv...node_dcn]}.)"


@pytest.mark.parametrize(
    "message, words",
    [
        (NO_WORKSPACE, "--memPoolSize=workspace:4096"),
        ("Error Code 2: OutOfMemory (Requested size was 99 bytes.)", "Close what else uses the memory"),
        ("node a (DeformConv): Plugin not found, are the plugin name and version correct?", "export it again"),
        ("Unsupported data type for the Cast operator", "export it again"),
        ("cudaError 35: CUDA driver version is insufficient for CUDA runtime version", "runtime/doctor.py"),
        ("kMIN dimensions in profile 0 are [1,7] but input has static dimensions", "one size"),
        ("something nobody has seen", OTHERWISE),
    ],
)
def test_the_remedy_fits_what_tensorrt_said(message, words):
    assert words in remedy([message])


@pytest.mark.parametrize(
    "message, node",
    [
        (NO_NODE, "ForeignNode[/conv...node_dcn]"),
        ("node node_conv2d_3 (Conv): In parseNode: bad", "node_conv2d_3"),
        (NO_WORKSPACE, None),
    ],
)
def test_the_node_is_named_where_tensorrt_names_it(message, node):
    assert named_node([message]) == node


def test_the_error_holds_tensorrts_words_the_node_and_the_remedy():
    text = str(failed_build("tensorrt-rtx could not build m.onnx", [NO_NODE, "x" * 1000, "third", "fourth"]))
    assert text.startswith("tensorrt-rtx could not build m.onnx; nothing was written.\n  it says: Error Code 10")
    assert "at node: ForeignNode[/conv...node_dcn]" in text
    assert "x" * 401 not in text and "fourth" not in text


def test_flags_in_remedies_are_ones_we_take():
    advised = [flag for _, advice in REMEDIES for flag in re.findall(r"--[\w:=]+", advice)]
    assert len(advised) > 4
    for flag in advised:
        parse_args([flag if "=" in flag else f"{flag}=x:1"])
