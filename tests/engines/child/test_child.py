"""Messages between an engine and its child processes, and how such a process ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from streamer.engines.child.frames import Unpacker, pack
from streamer.engines.child.process import ChildProcess


class Word(msgspec.Struct, frozen=True, tag=True):
    text: str


class Number(msgspec.Struct, frozen=True, tag=True):
    number: int


WORDS: msgspec.msgpack.Decoder[Word | Number] = msgspec.msgpack.Decoder(Word | Number)

ECHO = """
import os, sys
from streamer.engines.child.tied import frames_output, tie_to_parent
tie_to_parent(int(sys.argv[1]))
output = frames_output()
print("a library's chatter", flush=True)
while data := os.read(0, 1 << 16):
    while data:
        data = data[os.write(output, data):]
sys.exit(int(sys.argv[2]))
"""

Start = Callable[..., ChildProcess[Word | Number]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def started(program: str, *arguments: str) -> ChildProcess[Word | Number]:
        (tmp_path / "played_child.py").write_text(program)
        return ChildProcess("played_child", WORDS, *arguments)

    return started


def heard(child: ChildProcess[Word | Number], count: int) -> list[Word | Number]:
    """So many frames, or those that came before it ended."""
    frames: list[Word | Number] = []
    deadline = time.monotonic() + 30
    while len(frames) < count and not child.ended:
        child.send()
        frames += child.read()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return frames


def test_frames_survive_any_cut() -> None:
    frames: list[Word | Number] = [Word("您好"), Number(1 << 40), Word(""), Word("a" * 300)]
    stream = b"".join(pack(frame) for frame in frames)
    for size in (1, 2, 3, 7, 100, len(stream)):
        unpacker = Unpacker(WORDS)
        pieces = (stream[start : start + size] for start in range(0, len(stream), size))
        assert [frame for piece in pieces for frame in unpacker.feed(piece)] == frames


def test_what_does_not_fit_the_pipe_is_sent_by_and_by(start: Start) -> None:
    child = start(ECHO, "0")
    words = [Word(letter * 500_000) for letter in "abc"]
    for word in words:
        child.post(word)
    assert heard(child, 3) == words
    child.kill()


def test_what_it_prints_is_no_frame(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    child = start(ECHO, "0")
    child.post(Number(7))
    assert heard(child, 1) == [Number(7)]
    child.kill()
    assert capfd.readouterr().err == "a library's chatter\n"


def test_signals_of_a_terminal_do_not_end_it(start: Start) -> None:
    child = start(ECHO, "0")
    child.post(Number(1))
    heard(child, 1)  # by now it is tied
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(child.pid, number)
    child.post(Number(2))
    assert heard(child, 1) == [Number(2)]
    child.kill()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit(3)", "ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", "ended with status -9"),
        ("import os; os.write(1, bytes([1, 0, 0, 0, 255]) * 2)", "spoke nonsense"),
    ],
)
def test_why_it_ended(start: Start, program: str, words: str) -> None:
    child = start(program)
    assert heard(child, 1) == []
    assert words in child.last_words()


def test_what_is_sent_to_a_dead_one_is_no_error_but_its_end(start: Start) -> None:
    child = start("import os, time; os.close(0); time.sleep(60)")  # nothing but the pipe tells that it does not read
    deadline = time.monotonic() + 30
    while not child.ended:
        child.post(Number(1))
        time.sleep(0.001)
        assert time.monotonic() < deadline
    assert child.read() == []
    child.kill()


def test_once_it_is_killed_its_descriptors_are_not_touched(start: Start, tmp_path: Path) -> None:
    child = start(ECHO, "0")
    child.post(Number(1))
    heard(child, 1)
    child.kill()
    others = [os.open(tmp_path / "others", os.O_RDWR | os.O_CREAT) for _ in range(4)]  # take the numbers that are free
    child.post(Word("not for them"))
    child.send()
    assert child.read() == []
    assert child.kill() == -signal.SIGKILL
    assert (tmp_path / "others").read_bytes() == b""
    for descriptor in others:
        os.close(descriptor)
