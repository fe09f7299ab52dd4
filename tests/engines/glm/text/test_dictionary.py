from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.glm.text.dictionary import Dictionary, Entries, read_replacements
from streamer.engines.glm.text.phonemes import only_phonemes
from streamer.errors import ConfigurationError

ACCEPTED = only_phonemes({"<|X|>", "<|IAN2|>", "<|I4|>"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dictionary.jsonl"


def parts(dictionary: Dictionary, text: str) -> list[str]:
    return [f"[{part}]" if replaced else part for part, replaced in dictionary.parts(text)]


def write(path: Path, text: str) -> None:
    """As an editor does: a new file in the place of the old one."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def test_the_longest_key_is_replaced_at_every_position(path: Path) -> None:
    write(path, '{"弦": "<|X|>"}\n{"琴弦": "琴"}\n\n# said\n{"a.b": "c", "琴": "x"}\n')
    dictionary = Dictionary(path, ACCEPTED)
    assert parts(dictionary, "弦琴弦琴a.bacb弦") == ["[<|X|>]", "[琴]", "[x]", "[c]", "acb", "[<|X|>]"]
    assert parts(dictionary, "") == []
    assert dictionary.problems == ()


def test_a_bad_line_is_named_and_the_rest_counts(path: Path) -> None:
    lines = [
        b'\xef\xbb\xbf{"a": "1"}',
        b"{",
        b'["a"]',
        b"{}",
        b'{"": "x"}',
        b'{"a": 1}',
        b'{"a": "<|user|>"}',
        b'{"a": "<|X|"}',
        b'{"a": "\xff"}',
        b"[" * 100_000,
        '{"好": "<|X|>哦<|IAN2|>"}'.encode(),
    ]
    path.write_bytes(b"\r\n".join(lines))
    dictionary = Dictionary(path, ACCEPTED)
    assert parts(dictionary, "a好") == ["[1]", "[<|X|>哦<|IAN2|>]"]
    assert [problem.split(": ")[0] for problem in dictionary.problems] == [f"{path}:{n}" for n in range(2, 11)]
    assert "is no JSON" in dictionary.problems[0]
    assert "neither text nor a known phoneme" in dictionary.problems[5]


def test_a_change_is_taken_up_and_a_file_that_is_gone_changes_nothing(path: Path) -> None:
    write(path, '{"a": "1"}')
    dictionary = Dictionary(path, ACCEPTED)
    before = dictionary.digest
    assert not dictionary.refresh()
    write(path, '{"a": "2"}')
    assert dictionary.refresh()
    assert parts(dictionary, "a") == ["[2]"]
    assert dictionary.digest != before
    path.unlink()
    assert not dictionary.refresh()
    assert parts(dictionary, "a") == ["[2]"]
    assert "cannot be read again" in dictionary.problems[0]
    write(path, '{"a": "2"}')
    assert not dictionary.refresh()  # what it says is what is in use
    assert dictionary.problems == ()
    write(path, "")
    assert dictionary.refresh()
    assert parts(dictionary, "a") == ["a"]


def test_a_file_written_in_place_is_seen(path: Path) -> None:
    path.write_text('{"a": "1"}')
    dictionary = Dictionary(path, ACCEPTED)
    path.write_text('{"a": "2"}')
    os.utime(path, ns=(1, 1))  # a file system's clock may stand still for some milliseconds
    assert dictionary.refresh()


def test_a_missing_file_is_an_error_at_the_start(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Dictionary(path, ACCEPTED)


def test_a_table_of_ours_must_be_right_as_a_whole(path: Path) -> None:
    path.write_text('{"a": "1"}\n{')
    with pytest.raises(ConfigurationError, match=r"jsonl:2: is no JSON"):
        read_replacements(path)


@given(st.binary(max_size=200))
def test_no_content_raises(content: bytes) -> None:
    entries = Entries(Path("d"), content, ACCEPTED)
    assert all(problem.startswith("d:") for problem in entries.problems)
