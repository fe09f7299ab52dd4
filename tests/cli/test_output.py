from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from streamer.cli.output import Output


def test_a_pipe_is_read_until_its_reader_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        output = Output()
        output.check()
        os.close(reading)
        with pytest.raises(BrokenPipeError):
            output.check()
        monkeypatch.undo()


def test_a_full_pipe_and_a_file_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb", buffering=0) as pipe:
        while pipe.write(bytes(65_536)):
            pass
        monkeypatch.setattr(sys, "stdout", pipe)
        Output().check()
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        Output().check()
        monkeypatch.undo()


def test_without_standard_output_nobody_can_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    Output().check()
