"""Control groups as the kernel shows them, as files of a played machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def played(root: Path, files: Mapping[str, str]) -> Path:
    """A machine whose root it is."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def group(folder: str, limit: str, used: str, cached: str) -> dict[str, str]:
    """Files of a group of version 2."""
    stat = f"anon 1\nfile 2\n{halves('', cached)}"
    return {f"{folder}/memory.max": limit, f"{folder}/memory.current": used, f"{folder}/memory.stat": stat}


def first_group(folder: str, limit: str, used: str, cached: str) -> dict[str, str]:
    """Files of a group of version 1."""
    stat = f"cache 1\ninactive_file 7\nactive_file 7\n{halves('total_', cached)}"
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
    return dict(zip((f"{folder}/{name}" for name in names), (limit, used, stat), strict=True))


def halves(prefix: str, cached: str) -> str:
    """File cache, part of it in use."""
    active = int(cached) // 3
    return f"{prefix}inactive_file {int(cached) - active}\n{prefix}active_file {active}\n"
