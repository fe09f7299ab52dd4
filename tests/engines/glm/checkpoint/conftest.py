from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tiny.folder import make_tiny

Damage = Callable[[str, bytes | None], Layout]
"""Puts other content in place of a file, or takes it away, in a copy of the tiny checkpoint."""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A tiny checkpoint, to be read only."""
    root = tmp_path_factory.mktemp("tiny")
    make_tiny(root)
    return Layout(root)


@pytest.fixture
def damage(tiny: Layout, tmp_path: Path) -> Damage:
    root = tmp_path / "ckpt"
    for source in tiny.root.rglob("*"):
        if source.is_file():
            target = root / source.relative_to(tiny.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)

    def damaged(name: str, content: bytes | None) -> Layout:
        path = root / name
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        return Layout(root)

    return damaged
