from concurrent.futures import ThreadPoolExecutor

import pytest

from cvqe.whole_file import remove_unfinished, whole_file, write_whole

ROUNDS, WRITERS = 20, 4


def test_writers_of_one_name_do_not_meet(tmp_path):
    contents = [bytes([number]) * 10_000 for number in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in range(ROUNDS):
            list(pool.map(lambda content: write_whole(tmp_path / "a", content), contents))
            assert (tmp_path / "a").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_of_a_similar_name_is_left_alone(tmp_path):
    kept = dict.fromkeys(("a.tmp", ".a.tmp", "a.b.tmp"), "mine")
    for name, content in kept.items():
        (tmp_path / name).write_text(content)
    write_whole(tmp_path / "a.b", b"new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {**kept, "a.b": "new"}


def test_what_fails_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a") as file:
        file.write(b"half")
        assert len(list(tmp_path.iterdir())) == 2
        raise KeyboardInterrupt
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


def test_a_name_may_be_as_long_as_names_can_be(tmp_path):
    for name in ("a" * 255, "\N{SNOWMAN}" * 85):
        write_whole(tmp_path / name, b"content")
        assert (tmp_path / name).read_bytes() == b"content"


def test_what_a_killed_run_left_is_found(tmp_path):
    with whole_file(tmp_path / "a"):
        (left,) = tmp_path.iterdir()
        content = left.read_bytes()
        remove_unfinished(tmp_path)
        assert not left.exists()
        left.write_bytes(content)  # the block ends well
    remove_unfinished(tmp_path / "gone")
