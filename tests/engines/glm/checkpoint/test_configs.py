from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streamer.engines.glm.checkpoint.configs import read_json, read_table, read_yaml
from streamer.errors import CheckpointError


class Sizes(msgspec.Struct):
    depth: int
    width: int = 8


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config"


def test_json_gives_the_fields_that_are_asked_for(file: Path) -> None:
    file.write_text('{"depth": 3, "other": [1, 2]}')
    assert read_json(file, Sizes) == Sizes(depth=3)
    assert read_table(file) == {"depth": 3, "other": [1, 2]}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"3", b'{"depth": "3"}', b"[" * 100_000])
def test_json_that_is_none(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=str(file)):
        read_json(file, Sizes)
    if b"depth" not in content:
        with pytest.raises(CheckpointError, match=str(file)):
            read_table(file)


def test_the_table_behind_a_tag_is_read_and_its_class_is_not(file: Path) -> None:
    file.write_text("flow: !new:os.abort\n  depth: 3\n  other: !name:os.abort\n  call: !apply:os.abort [1]\n")
    assert read_yaml(file, Sizes) == Sizes(depth=3)


def test_a_reference_stands_for_a_value_at_the_top(file: Path) -> None:
    file.write_text("size: 5\nflow: !new:a.B\n  depth: !ref <size>\n")
    assert read_yaml(file, Sizes) == Sizes(depth=5)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is no table"),
        ("- 1", "is no table"),
        ("depth: 3", "holds 0 tables"),
        ("a: !new:x\n  depth: 1\nb: !new:y\n  depth: 2\n", "holds 2 tables"),
        ("flow: !new:x 3", "without a table"),
        ("flow: !new:x\n  width: 3\n", "depth"),
        ("flow: !new:x\n  depth: !apply:os.abort []\n", "depth"),
        ("flow: !new:x\n  depth: !ref <nowhere>\n", "depth"),
        ("flow: !new:x\n  depth: 2001-13-45\n", "month"),
        ("flow: !new:x\n  depth: true\n", "depth"),
        ("flow: !!python/object/apply:os.abort []\n", "could not determine a constructor"),
        ("flow: [", "parsing"),
        ("\x00", "not allowed"),
    ],
)
def test_yaml_that_says_something_else(file: Path, content: str, expected: str) -> None:
    file.write_text(content)
    with pytest.raises(CheckpointError) as caught:
        read_yaml(file, Sizes)
    assert str(caught.value).startswith(f"{file}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing(file: Path) -> None:
    for read in (lambda: read_json(file, Sizes), lambda: read_yaml(file, Sizes), lambda: read_table(file)):
        with pytest.raises(CheckpointError, match="is missing"):
            read()
