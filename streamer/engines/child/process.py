"""The engine's end of a child process. Reading and writing never block."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Generic

import msgspec

from streamer.engines.child.frames import Frame, Unpacker, pack

_CHUNK = 1 << 20


class ChildProcess(Generic[Frame]):
    """`python -m module <this process's id> arguments`, which is to call `tie_to_parent` first: it then dies with the
    thread that started it."""

    def __init__(self, module: str, decoder: msgspec.msgpack.Decoder[Frame], *arguments: str) -> None:
        """`decoder`: of what it says. Errors: OSError."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(os.getpid()), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise OSError("a child process without pipes")
        self._pipes = (self._process.stdin, self._process.stdout)
        self._input = self._process.stdin.fileno()
        self.output = self._process.stdout.fileno()
        """To wait for what it says."""
        os.set_blocking(self._input, False)
        os.set_blocking(self.output, False)
        self._unpacker = Unpacker(decoder)
        self._unsent = bytearray()
        self.ended = False
        """Nothing more comes from it."""
        self._nonsense = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def post(self, frame: msgspec.Struct) -> None:
        """Send it, as far as the pipe takes it; `send` does the rest. One that has ended gets nothing."""
        self._unsent += pack(frame)
        self.send()

    def send(self) -> None:
        """Write what the pipe takes."""
        if self.ended:
            self._unsent.clear()
        try:
            while self._unsent:
                del self._unsent[: os.write(self._input, self._unsent)]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.ended = True

    def read(self) -> list[Frame]:
        """What it said since; of one that has ended nothing."""
        frames: list[Frame] = []
        if self.ended:
            return frames
        try:
            while data := os.read(self.output, _CHUNK):
                frames += self._unpacker.feed(data)
            self.ended = True
        except BlockingIOError:
            return frames
        except msgspec.DecodeError as error:
            self._nonsense, self.ended = f"spoke nonsense: {error}", True
        return frames

    def last_words(self) -> str:
        """Why it ended, behind its name. It is ended by it."""
        status = self.kill()
        return self._nonsense or f"ended with status {status} (a negative one is a signal)"

    def kill(self) -> int:
        """End it; its exit status. Its descriptors are closed: from now on they may be others'."""
        self.ended = True
        self._process.kill()
        status = self._process.wait()
        for pipe in self._pipes:
            pipe.close()
        return status
