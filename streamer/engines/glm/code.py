"""The code that made a sound, as a digest: no version number that somebody must remember to raise."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_SHORT = 12
_SILENT = {"fetching", "tiny", "scheduler.py", "fair_queue.py"}
"""Folders and files that no sound passes through, or which only say whose turn it is."""


def short(text: str) -> str:
    """A digest of it, as the revision shows digests."""
    return hashlib.sha256(text.encode()).hexdigest()[:_SHORT]


@cache
def code_digest(folder: Path) -> str:
    """Over the source files in it that sound passes through, as they were when this was first called."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        if any(part in _SILENT for part in inside.parts):
            continue
        digest.update(inside.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:_SHORT]
