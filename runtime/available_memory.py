"""How much memory this process may still take: what the machine has free, and what its control groups leave it."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from runtime.machine import cpuinfo_value

ROOT = Path("/")


def available_bytes(root: Path = ROOT) -> int | None:
    """Return the bytes that can be taken without swapping; None where the kernel does not tell, as outside Linux.

    Args:
        root: of the file system that proc and sys are in.
    """
    free = cpuinfo_value(_text(root / "proc/meminfo"), "MemAvailable")
    if free is None:
        return None
    return min([1024 * int(free.split()[0]), *_left_by_control_groups(root)])


def _left_by_control_groups(root: Path) -> Iterator[int]:
    """Yield what the process's own group and those around it leave, where they have a limit."""
    groups = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        inner = PurePosixPath(name.lstrip("/"))
        for each in (inner, *inner.parents):
            if not controllers:  # version 2
                yield from _left(groups / each, "memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                at = groups / "memory" / each
                yield from _left(at, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _left(group: Path, limit_name: str, use_name: str, cache_name: str) -> Iterator[int]:
    limit, use = _text(group / limit_name).strip(), _text(group / use_name).strip()
    if limit.isdigit() and use.isdigit():  # not "max"
        pairs = (line.split() for line in _text(group / "memory.stat").splitlines())
        # files read once count as use until somebody needs the memory
        cached = next((int(pair[1]) for pair in pairs if pair[0] == cache_name), 0)
        yield max(0, int(limit) - int(use) + cached)


def _text(path: Path) -> str:
    """Read a file of the kernel's; empty where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
