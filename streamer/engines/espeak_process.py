"""The engine's end of one child process."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import msgspec
import numpy as np

from streamer.engines.base import Failure, Speech, Ticket, Utterance
from streamer.engines.espeak_frames import Done, Frame, Hello, Part, Speak, Unpacker, pack
from streamer.engines.espeak_text import speakable

_CHUNK = 1 << 20


class Child:
    """A process that speaks one utterance at a time. Reading and writing never block.

    It dies with the thread that started it.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "streamer.engines.espeak_child", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise OSError("a child process without pipes")
        self._pipes = (self._process.stdin, self._process.stdout)
        self._input = self._process.stdin.fileno()
        self.output = self._process.stdout.fileno()
        os.set_blocking(self._input, False)
        os.set_blocking(self.output, False)
        self._unpacker = Unpacker()
        self._unsent = memoryview(b"")
        self._pcm: list[bytes] = []
        self._trouble: str | None = None
        self._mute = False
        self.ended = False
        self.hello: Hello | None = None
        self.busy = False
        self.ticket: Ticket | None = None
        """Of the utterance being spoken; None while idle, and when nobody wants it any more."""
        self.deadline = math.inf
        """When it counts as hung."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def speak(self, ticket: Ticket, utterance: Utterance) -> None:
        voice = utterance.voice
        self.busy, self.ticket, self._trouble = True, ticket, None
        self._mute = not speakable(utterance.text)
        self._pcm.clear()
        self._unsent = memoryview(pack(Speak(utterance.text, voice.rate, voice.pitch, voice.volume)))
        self.send()

    def send(self) -> None:
        """Write what the pipe takes."""
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._input, self._unsent) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.ended = True

    def read(self) -> None:
        """Take what the pipe holds."""
        try:
            while data := os.read(self.output, _CHUNK):
                for frame in self._unpacker.feed(data):
                    self._take(frame)
            self.ended = True
        except BlockingIOError:
            return
        except msgspec.DecodeError as error:
            self._trouble, self.ended = f"the child process speaks nonsense: {error}", True

    def report(self) -> Speech | Failure | None:
        """What became of its utterance, once that is known and somebody wants to know; then it is idle, or ended."""
        if self.ended:
            return self._close(self.last_words())
        if not self.busy or self._trouble is None:
            return None
        return self._close(self._trouble)

    def hung(self, seconds: float) -> Failure | None:
        """Give it up, after so many seconds of silence."""
        self.ended = True
        ticket, self.ticket = self.ticket, None
        return None if ticket is None else Failure(ticket, f"espeak-ng said nothing for {seconds:g} s")

    def last_words(self) -> str:
        """Why a child ended."""
        return self._trouble or f"espeak-ng ended with status {self.kill()} (a negative one is a signal)"

    def kill(self) -> int:
        """End it; its exit status."""
        self._process.kill()
        status = self._process.wait()
        for pipe in self._pipes:
            pipe.close()
        return status

    def _close(self, trouble: str) -> Speech | Failure | None:
        ticket, self.ticket, self.busy, self.deadline = self.ticket, None, False, math.inf
        pcm = b"".join(self._pcm)
        self._pcm.clear()
        if ticket is None:
            return None
        if trouble:
            return Failure(ticket, trouble)
        samples = np.frombuffer(pcm, np.int16)
        if not samples.any():
            message = "espeak-ng makes no sound of this text; it needs letters, ideographs or digits"
            return Failure(ticket, message, mute=self._mute)
        return Speech(ticket, samples)

    def _take(self, frame: Frame) -> None:
        match frame:
            case Hello():
                self.hello = frame
            case Part():
                self._pcm.append(frame.pcm)
            case Done():
                self._trouble = frame.trouble
            case Speak():
                raise msgspec.DecodeError("an utterance from the child")
