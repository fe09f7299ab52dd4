"""What control groups leave a process of the machine's memory: a container's limit, unknown to /proc/meminfo.

Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Limit(NamedTuple):
    """Bytes of one control group."""

    total: int
    free: int
    """Now, with what it can take back from its file cache."""


class _Version(NamedTuple):
    mount: str
    limit: str
    used: str
    cached: tuple[str, str]
    """In memory.stat: file cache, which it takes back, be it in use or not."""


_FIRST = _Version(
    mount="sys/fs/cgroup/memory",
    limit="memory.limit_in_bytes",
    used="memory.usage_in_bytes",
    cached=("total_inactive_file", "total_active_file"),
)
_SECOND = _Version(
    mount="sys/fs/cgroup", limit="memory.max", used="memory.current", cached=("inactive_file", "active_file")
)


def limits(root: Path = Path("/")) -> list[Limit]:
    """Of the groups that this process is in, as far as they have one and tell. `root`: where proc and sys lie."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[Limit] = []
    for line in lines:  # `0::/path` is of version 2, `4:memory:/path` of version 1
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            version = _FIRST if controllers else _SECOND
            found += (limit for folder in _folders(root / version.mount, path) if (limit := _limit(folder, version)))
    return found


def _folders(mount: Path, path: str) -> Iterator[Path]:
    """The group's and those above it. In a container its own group may be the mount itself, whatever the path says."""
    folder = mount / path.lstrip("/")
    while folder != mount:
        yield folder
        folder = folder.parent
    yield mount


def _limit(folder: Path, version: _Version) -> Limit | None:
    try:
        total, used = (int((folder / name).read_text(encoding="ascii")) for name in (version.limit, version.used))
        told = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        return Limit(total, max(0, total - used + sum(int(told[name]) for name in version.cached)))
    except (OSError, ValueError, KeyError):
        return None  # it has none (`max`), or does not tell
