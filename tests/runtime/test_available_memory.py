"""Free memory as the kernel's own files tell it, written into a folder that stands for the root."""

import pytest

from runtime.available_memory import available_bytes

GB = 10**9


def kernel(root, free_kb, group="0::/", files=()):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 99999999 kB\nMemFree: 5 kB\nMemAvailable:   {free_kb} kB\n")
    (root / "proc/self/cgroup").write_text(f"{group}\n")
    for name, text in files:
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return available_bytes(root)


def test_without_a_group_what_the_machine_has_free_counts(tmp_path):
    assert kernel(tmp_path, 4_000_000) == 4_096_000_000


def test_a_groups_limit_counts_less_what_the_group_uses(tmp_path):
    files = [("job/memory.max", 3 * GB), ("job/memory.current", GB)]
    assert kernel(tmp_path, 4_000_000, "0::/job", files) == 2 * GB


def test_files_that_were_read_once_do_not_count_as_used(tmp_path):
    files = [
        ("job/memory.max", 3 * GB),
        ("job/memory.current", GB),
        ("job/memory.stat", f"anon 1\ninactive_file {GB // 2}\nactive_file 7"),
    ]
    assert kernel(tmp_path, 4_000_000, "0::/job", files) == 2 * GB + GB // 2


def test_a_group_around_its_own_may_be_tighter(tmp_path):
    files = [
        ("outer/job/memory.max", "max"),
        ("outer/job/memory.current", GB),
        ("outer/memory.max", 2 * GB),
        ("outer/memory.current", GB + GB // 2),
    ]
    assert kernel(tmp_path, 4_000_000, "0::/outer/job", files) == GB // 2


def test_a_container_sees_its_own_group_as_the_root(tmp_path):
    files = [("memory.max", 2 * GB), ("memory.current", GB)]
    assert kernel(tmp_path, 4_000_000, "0::/", files) == GB


def test_groups_of_the_older_kind_count_too(tmp_path):
    files = [("memory/job/memory.limit_in_bytes", 2 * GB), ("memory/job/memory.usage_in_bytes", GB)]
    assert kernel(tmp_path, 4_000_000, "7:cpu:/other\n4:memory:/job", files) == GB


def test_a_group_that_uses_more_than_its_limit_leaves_nothing(tmp_path):
    assert kernel(tmp_path, 4, "0::/job", [("job/memory.max", 1), ("job/memory.current", 2)]) == 0


def test_elsewhere_it_is_unknown(tmp_path):
    assert available_bytes(tmp_path) is None


@pytest.mark.skipif(available_bytes() is None, reason="no /proc/meminfo here")
def test_this_machine_has_some():
    assert available_bytes() > 2**20
