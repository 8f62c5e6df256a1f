import os

import pytest

from benchmarks import table4_networks
from benchmarks.network_speed import BEST, WAYS
from benchmarks.networks_table import ROWS
from benchmarks.table4_networks import DEFAULT_LABELS, LABELS, PUBLISHED, SHIPPED, label_of, subjects_of
from cvqe.errors import UsageError
from cvqe.models import names


def test_every_network_of_the_registry_is_there_at_its_published_width():
    assert {label.partition(":")[0] for label in DEFAULT_LABELS} >= set(names())
    assert {label_of(row.name, row.options) for row in ROWS} <= set(DEFAULT_LABELS)
    assert set(DEFAULT_LABELS) < set(LABELS) == {*PUBLISHED, *SHIPPED}


def test_a_network_without_weights_is_exported_once_and_again_when_its_code_has_changed(tmp_path):
    path = tmp_path / "vrcnn.onnx"
    (subject,) = subjects_of(["vrcnn"], [], tmp_path)
    assert (subject.file.path, subject.ways) == (path, WAYS)
    assert (subject.counts.parameters, subject.counts.macs) == (54_673, 5_442_478_080)
    written = path.stat().st_mtime_ns
    subjects_of(["vrcnn"], [], tmp_path)
    assert path.stat().st_mtime_ns == written
    os.utime(path, (0, 0))
    subjects_of(["vrcnn"], [], tmp_path)
    assert path.stat().st_mtime_ns > written


def test_shipped_and_other_files_are_taken_as_they_are(tmp_path):
    live, int8, mine = subjects_of(["live", "live_int8"], [f"mine={SHIPPED['live']}"], tmp_path)
    assert (int8.ways, mine.label, mine.file) == ((BEST,), "mine", live.file)
    assert int8.counts == live.counts  # of the network, not of what rounding made of its file
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "labels, files, told",
    [
        (["nonet"], [], "there is no network 'nonet'.\nChoose of:  arcnn "),
        ([], ["nonet"], "--onnx nonet: LABEL=FILE was expected"),
        ([], ["=x.onnx"], "LABEL=FILE was expected"),
        (["live"], ["live=x.onnx"], "there is another network 'live' in this run"),
        ([], ["mine=missing.onnx"], "missing.onnx is no file"),
    ],
)
def test_what_is_no_network_is_refused(tmp_path, labels, files, told):
    with pytest.raises(UsageError) as raised:
        subjects_of(labels, files, tmp_path)
    assert told in str(raised.value)


def test_a_label_names_all_options():
    assert label_of("mfqe2", {"dense": False}) == "mfqe2:dense=False"
    assert label_of("tgafnet", {}) == "tgafnet"


def test_what_exports_depend_on_is_there():
    for pattern in table4_networks.SOURCES:
        assert list(table4_networks.report.ROOT.glob(pattern)), pattern
