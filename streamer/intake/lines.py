"""Lines of a file, a pipe or a terminal, read without waiting longer than asked."""

from __future__ import annotations

import os
import select
from collections import deque
from typing import IO

import msgspec

MAX_LINE = 1_000_000
"""Bytes; a longer line is read over, and never as a whole in memory."""

_CHUNK = 65_536


class NotYet(Exception):
    """No line came within the time that was given."""


class Line(msgspec.Struct, frozen=True):
    """`number` from 1; `data` without its end, None where it is longer than `MAX_LINE`."""

    number: int
    data: bytes | None


class Lines:
    """Reads the file's descriptor itself: a thread blocked in a buffered file would hold its lock at the end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor = file.fileno()
        self._readable = select.poll()
        self._readable.register(self._descriptor, select.POLLIN)
        self._lines: deque[Line] = deque()
        self._begun = b""
        self._too_long = False
        self._number = 0
        self._ended = False

    def next(self, timeout: float) -> Line | None:
        """The next line, None at the end. Errors: NotYet when none came in time; OSError of the file."""
        while not self._lines and not self._ended:
            if not self._readable.poll(timeout * 1000):
                raise NotYet
            self._feed(os.read(self._descriptor, _CHUNK))
        return self._lines.popleft() if self._lines else None

    def _feed(self, data: bytes) -> None:
        *whole, self._begun = (self._begun + data).split(b"\n")
        for line in whole:
            self._add(line)
        if len(self._begun) > MAX_LINE:
            self._begun, self._too_long = b"", True
        if not data:
            self._ended = True
            if self._begun or self._too_long:
                self._add(self._begun)

    def _add(self, line: bytes) -> None:
        self._number += 1
        self._lines.append(Line(self._number, None if self._too_long or len(line) > MAX_LINE else line))
        self._too_long = False
