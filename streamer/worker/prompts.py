"""The prompts that requests bring along: from what prompt_audio names to a voice.

Two kinds of places are read, and no other: folders that the operator allowed, and audio in the store of this
deployment, by the URI that its result carries. A sender can neither make a worker fetch an address nor read a file
that nobody meant for it, and learns nothing of what there is elsewhere.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

from streamer.errors import RequestFailed, StoreRejected
from streamer.records import FailureCode, Prompt
from streamer.store.base import Store
from streamer.voices import MAX_PROMPT, PromptSound, Voice

INLINE = "prompt"
"""What results call the voice of a prompt."""
_AUDIO = re.compile(r"[0-9a-f]{64}/[0-9a-f]{64}\.[0-9a-z]{1,8}").fullmatch
"""Keys of audio, and of nothing else in a store: an identity's folder, and a digest (worker/mastering.py)."""
_SHOWN = 200
"""Characters of what a request named."""


class Prompts:
    """Thread safe."""

    def __init__(self, folders: Sequence[Path], store: Store | None) -> None:
        """`folders`: absolute. `store` None: there is none whose audio may be named."""
        self._folders, self._store = tuple(folders), store
        self._root = None if store is None else store.uri("-").removesuffix("-")
        self._sounds: WeakValueDictionary[tuple[str, str], PromptSound] = WeakValueDictionary()
        self._lock = threading.Lock()

    def in_store(self, prompt: Prompt) -> bool:
        """Whether reading it asks the store. Waits for nothing."""
        return self._key(prompt) is not None

    def voice(self, prompt: Prompt) -> Voice:
        """Waits for store or file system. Errors: RequestFailed voice_unknown, with the remedy; StoreUnavailable."""
        key = self._key(prompt)
        audio = self._file(prompt) if key is None else self._object(prompt, key)
        if not audio:
            raise _refused(prompt, "is empty; name three to ten seconds of speech")
        if len(audio) > MAX_PROMPT:
            raise _too_large(prompt)
        return Voice(name=INLINE, prompt=self._shared(PromptSound.of(audio, prompt.prompt_text)))

    def _key(self, prompt: Prompt) -> str | None:
        """The key of the store's audio that it names."""
        if self._root is None or not prompt.prompt_audio.startswith(self._root):
            return None
        key = prompt.prompt_audio.removeprefix(self._root)
        return key if _AUDIO(key) else None

    def _object(self, prompt: Prompt, key: str) -> bytes:
        if self._store is None:
            raise ValueError("a key without a store")
        try:
            size = self._store.size(key)
            if size is not None and size > MAX_PROMPT:
                raise _too_large(prompt)
            audio = None if size is None else self._store.get(key)
        except StoreRejected as error:
            raise _refused(prompt, f"cannot be read in the store: {error}") from error
        if audio is None:
            raise _refused(prompt, "is not in the store, or was deleted; name an audio that is there")
        return audio

    def _file(self, prompt: Prompt) -> bytes:
        path = _path(prompt.prompt_audio)
        real = None if path is None else os.path.realpath(path)
        if real is None or not any(_within(real, os.path.realpath(folder)) for folder in self._folders):
            raise _refused(
                prompt,
                "is neither a file in a folder of voices.prompt_folders (links followed) nor the URI of an audio in "
                "this deployment's store; put the file into such a folder, or name an audio as its result does",
            )
        try:
            return _read(real)
        except OSError as error:
            raise _refused(prompt, f"cannot be read: {error.strerror}; mend that, and redrive it") from error
        except _NoFile as error:
            raise _refused(prompt, str(error)) from error

    def _shared(self, sound: PromptSound) -> PromptSound:
        """Requests that are under way with the same sound hold it once."""
        with self._lock:
            return self._sounds.setdefault((sound.sha256, sound.text), sound)


class _NoFile(Exception):
    """What is there is not read; the message says why."""


def _path(named: str) -> str | None:
    """The path that is named by itself or by a file:// URI; None for anything else."""
    path = named
    if not named.startswith("/"):
        try:
            parts = urlsplit(named)
        except ValueError:
            return None
        local = parts.scheme == "file" and parts.netloc in ("", "localhost") and not (parts.query or parts.fragment)
        path = unquote(parts.path) if local else ""
    return path if path.startswith("/") and "\0" not in path else None


def _within(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def _read(real: str) -> bytes:
    """MAX_PROMPT bytes and one more at most. Errors: OSError, _NoFile.

    What is opened must be what was looked at: folders on the way to it may have been exchanged for links meanwhile.
    """
    # Not blocking: a pipe that nobody writes to would wait for ever.
    descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _NoFile("is no file; name one")
        if Path(f"/proc/self/fd/{descriptor}").readlink() != Path(real):
            raise _NoFile("was moved while it was read; redrive it")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_PROMPT + 1)
    finally:
        os.close(descriptor)


def _too_large(prompt: Prompt) -> RequestFailed:
    return _refused(prompt, f"has more than {MAX_PROMPT} bytes; cut it to ten seconds at most")


def _refused(prompt: Prompt, why: str) -> RequestFailed:
    return RequestFailed(FailureCode.VOICE_UNKNOWN, f"prompt.prompt_audio: {prompt.prompt_audio[:_SHOWN]!r} {why}")
