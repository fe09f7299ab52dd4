from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO

import pytest

from streamer.intake import lines
from streamer.intake.lines import Line, Lines, NotYet


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as out, os.fdopen(writing, "wb", buffering=0) as into:
        yield out, into


def test_lines_come_as_they_are_written(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    reader = Lines(pipe[0])
    with pytest.raises(NotYet):
        reader.next(0)
    pipe[1].write(b"one\ntw")
    assert reader.next(0) == Line(1, b"one")
    with pytest.raises(NotYet):
        reader.next(0.01)
    pipe[1].write(b"o\n\nlast")
    assert [reader.next(0), reader.next(0)] == [Line(2, b"two"), Line(3, b"")]
    pipe[1].close()
    assert [reader.next(0), reader.next(0), reader.next(0)] == [Line(4, b"last"), None, None]


@pytest.mark.parametrize("chunk", [1, 3, 7, 1_000])
def test_long_lines_are_read_over(
    pipe: tuple[IO[bytes], IO[bytes]], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 10)
    monkeypatch.setattr(lines, "_CHUNK", chunk)
    pipe[1].write(b"a\n" + b"b" * 11 + b"\n" + b"c" * 10 + b"\n" + b"d" * 35 + b"\ne\n" + b"f" * 11)
    pipe[1].close()
    reader = Lines(pipe[0])
    data = [b"a", None, b"c" * 10, None, b"e", None]
    assert list(iter(lambda: reader.next(0), None)) == [Line(number, part) for number, part in enumerate(data, 1)]


def test_an_empty_file_has_no_lines(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    pipe[1].close()
    assert Lines(pipe[0]).next(0) is None
