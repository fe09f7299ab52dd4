"""The engine's end of one child process."""

from __future__ import annotations

import math

import numpy as np

from streamer.engines.base import Failure, Speech, Ticket, Utterance
from streamer.engines.child.process import ChildProcess
from streamer.engines.espeak_frames import FROM_CHILD, Done, Hello, Part, Said, Speak
from streamer.engines.espeak_text import speakable


class Child:
    """A process that speaks one utterance at a time. Reading and writing never block.

    It dies with the thread that started it.
    """

    def __init__(self) -> None:
        self._process = ChildProcess("streamer.engines.espeak_child", FROM_CHILD)
        self.output = self._process.output
        self._pcm: list[bytes] = []
        self._trouble: str | None = None
        self._mute = False
        self.hello: Hello | None = None
        self.busy = False
        self.ticket: Ticket | None = None
        """Of the utterance being spoken; None while idle, and when nobody wants it any more."""
        self.deadline = math.inf
        """When it counts as hung."""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.ended

    def speak(self, ticket: Ticket, utterance: Utterance) -> None:
        voice = utterance.voice
        self.busy, self.ticket, self._trouble = True, ticket, None
        self._mute = not speakable(utterance.text)
        self._pcm.clear()
        self._process.post(Speak(utterance.text, voice.rate, voice.pitch, voice.volume))

    def send(self) -> None:
        """Write what the pipe takes."""
        self._process.send()

    def read(self) -> None:
        """Take what the pipe holds."""
        for frame in self._process.read():
            self._take(frame)

    def report(self) -> Speech | Failure | None:
        """What became of its utterance, once that is known and somebody wants to know; then it is idle, or ended."""
        if self.ended:
            return self._close(self.last_words())
        if not self.busy or self._trouble is None:
            return None
        return self._close(self._trouble)

    def hung(self, seconds: float) -> Failure | None:
        """Give it up, after so many seconds of silence."""
        self._process.ended = True
        ticket, self.ticket = self.ticket, None
        return None if ticket is None else Failure(ticket, f"espeak-ng said nothing for {seconds:g} s")

    def last_words(self) -> str:
        """Why a child ended."""
        return self._trouble or f"espeak-ng {self._process.last_words()}"

    def kill(self) -> None:
        """End it."""
        self._process.kill()

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

    def _take(self, frame: Said) -> None:
        match frame:
            case Hello():
                self.hello = frame
            case Part():
                self._pcm.append(frame.pcm)
            case Done():
                self._trouble = frame.trouble
