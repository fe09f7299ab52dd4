"""A child process of the espeak engine: reads utterances from standard input, writes samples to standard output.

espeak-ng is not thread safe, and what it speaks depends on what it spoke before. So it lives in a process of its own
and is loaded anew for each utterance, which takes a millisecond. It is opened in synchronous mode: in the other one a
thread of its own polls every 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import sys
from _ctypes import dlclose
from collections.abc import Iterator
from contextlib import contextmanager

import espeakng_loader

from streamer.engines.child.frames import Unpacker, write
from streamer.engines.child.tied import frames_output, tie_to_parent
from streamer.engines.espeak_frames import TO_CHILD, Done, Hello, Part, Speak
from streamer.engines.espeak_text import ENGLISH, MANDARIN, clean, runs

# speak_lib.h. Neither SSML nor phonemes in brackets: a text is only a text.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_UTF8 = 1
_RATE, _VOLUME, _PITCH = 1, 2, 3
_PART = 1 << 18
"""Bytes (6 s) after which samples are sent on: a long text shows that it is getting on."""

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class _Refused(Exception):
    """A call of espeak-ng that returned an error."""


class _Library:
    """espeak-ng, freshly loaded."""

    def __init__(self, library: ctypes.CDLL, output: int) -> None:
        self._library = library
        self._output = output
        self._pcm = bytearray()
        self._callback = _Callback(self._take)  # espeak-ng keeps only its address
        self.sample_rate: int = library.espeak_Initialize(
            _SYNCHRONOUS, 0, os.fsencode(espeakng_loader.get_data_path()), _DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise _Refused(f"espeak_Initialize returned {self.sample_rate}")
        library.espeak_Info.restype = ctypes.c_char_p
        self.version = library.espeak_Info(None).decode().split()[0]
        library.espeak_SetSynthCallback(self._callback)

    def speak(self, language: str, text: str, order: Speak) -> None:
        """Speak one run in the voice of its order."""
        self._call("espeak_SetVoiceByName", language.encode())
        for parameter, value in ((_RATE, order.rate), (_VOLUME, order.volume), (_PITCH, order.pitch)):
            self._call("espeak_SetParameter", parameter, value, 0)
        data = text.encode(errors="replace") + b"\0"
        self._call("espeak_Synth", data, ctypes.c_size_t(len(data)), 0, 1, 0, _UTF8, None, None)

    def flush(self) -> None:
        write(self._output, Part(bytes(self._pcm)))
        self._pcm.clear()

    def _take(self, samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._pcm += ctypes.string_at(samples, 2 * count)
        if len(self._pcm) >= _PART:
            try:
                self.flush()
            except OSError:
                os._exit(1)  # nobody listens, and no exception leaves a callback
        return 0

    def _call(self, function: str, *arguments: object) -> None:
        status = getattr(self._library, function)(*arguments)
        if status != 0:
            raise _Refused(f"{function} returned {status}")


@contextmanager
def _loaded(output: int) -> Iterator[_Library]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        yield _Library(library, output)
    finally:
        library.espeak_Terminate()
        dlclose(library._handle)


def _speak(order: Speak, output: int) -> None:
    with _loaded(output) as library:
        for language, text in runs(clean(order.text)):
            library.speak(language, text, order)
        library.flush()


def _hello(output: int) -> None:
    """Speak both languages once, which reads their files, and say so."""
    with _loaded(output) as library:
        for language, text in ((ENGLISH, "a"), (MANDARIN, "一")):
            library.speak(language, text, Speak(text, 170, 50, 100))
        write(output, Hello(library.version, library.sample_rate))


def main() -> None:
    tie_to_parent(int(sys.argv[1]))
    output = frames_output()
    unpacker = Unpacker(TO_CHILD)
    try:
        _hello(output)
    except (_Refused, OSError, RuntimeError) as error:
        write(output, Done(str(error)))
        sys.exit(1)
    while data := os.read(0, 1 << 16):
        for order in unpacker.feed(data):
            trouble = ""
            try:
                _speak(order, output)
            except _Refused as error:
                trouble = str(error)
            write(output, Done(trouble))


if __name__ == "__main__":
    main()
