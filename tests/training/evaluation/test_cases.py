"""Finding what is to be measured."""

import json

import pytest

from cvqe.errors import InputError, UsageError
from training.compress import parse_args
from training.evaluation.cases import find_cases, load_classes, size_class


@pytest.fixture
def folders(tmp_path):
    clips, coded = tmp_path / "test", tmp_path / "coded"
    for name in ("a", "b"):
        for folder in (
            clips,
            *(coded / f"{configuration}_qp{qp}" for configuration in ("ldp", "ai") for qp in (32, 37)),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.mkv").touch()
    return clips, coded


def test_cases_come_clip_by_clip(folders):
    cases = find_cases(*folders, ["ldp", "ai"], [32, 37])
    assert [(case.clip, case.coding) for case in cases] == [
        (clip, coding) for clip in "ab" for coding in ("ldp_qp32", "ldp_qp37", "ai_qp32", "ai_qp37")
    ]
    assert all(case.coded.is_file() and case.pristine.is_file() for case in cases)


def test_only_takes_patterns_and_refuses_one_that_matches_nothing(folders):
    assert {case.clip for case in find_cases(*folders, ["ldp"], [37], ["b*"])} == {"b"}
    with pytest.raises(UsageError, match=r"--only c\* matches no clip .* there are a, b"):
        find_cases(*folders, ["ldp"], [37], ["c*"])


def test_a_missing_version_is_said_before_anything_is_measured(folders):
    with pytest.raises(InputError, match=r"ldp_qp22/a\.mkv is missing, and 1 more of 4.*compress\.py .*--qp 22"):
        find_cases(*folders, ["ldp"], [22, 37])


def test_the_advice_for_a_missing_version_is_one_that_compress_takes(folders):
    for configuration in ("avc-ldp", "ldp-hm-tu3"):
        with pytest.raises(InputError) as refused:
            find_cases(*folders, [configuration], [37])
        command = str(refused.value).split("training/compress.py ")[1].split()
        assert parse_args(command).codings[0].name == configuration


def test_two_files_are_one_case_without_a_qp(folders):
    clips, coded = folders
    (case,) = find_cases(clips / "a.mkv", coded / "ldp_qp37" / "b.mkv", ["ldp"], [22, 37])
    assert (case.clip, case.qp, case.coding) == ("a", None, "file")
    with pytest.raises(UsageError, match="two folders of clips, or two files"):
        find_cases(clips / "a.mkv", coded, ["ldp"], [37])


def test_classes_come_from_the_manifest_beside_or_above(folders):
    clips, coded = folders
    assert load_classes(clips) == {}
    entries = {"clips": [{"name": "a", "gt_class": "B"}, {"name": "b"}]}
    (clips.parent / "MANIFEST.json").write_text(json.dumps(entries))
    assert load_classes(clips) == {"a": "B", "b": ""}
    assert [case.gt_class for case in find_cases(clips, coded, ["ldp"], [37])] == ["B", ""]
    (clips / "MANIFEST.json").write_text('{"clips": 3}')
    with pytest.raises(InputError, match="can't be used"):
        load_classes(clips)


@pytest.mark.parametrize(
    "size, name",
    [
        ((416, 240), "D"),
        ((176, 144), "D"),
        ((352, 288), "D"),
        ((720, 576), "C"),
        ((1280, 720), "E"),
        ((1920, 1080), "B"),
        ((3840, 2160), "A"),
    ],
)
def test_a_size_is_of_the_nearest_class(size, name):
    assert size_class(*size) == name
