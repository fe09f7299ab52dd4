"""Encoded voices by the hash of their sound and of what encoded them: a file each, and the last ones in memory."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.observe.logs import Log

_IN_MEMORY = 64
ON_DISK = 4_096
"""Files of about 200 kB. Prompts come with requests, too: without a limit they would fill the disk."""
_SPOILED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    SyntaxError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and numpy raise of files that are not what was written."""


class EncodedVoice(NamedTuple):
    """What a voice is cloned from. Its arrays are shared and read-only: copy them (torch.tensor does)."""

    speech_tokens: NDArray[np.int64]
    """Shape (tokens,), 25 a second."""
    speaker: NDArray[np.float32]
    """Shape (192,)."""
    mel: NDArray[np.float32]
    """Shape (frames, 80), 50 a second."""


class VoiceCache:
    """`made_by` names all that an encoded voice follows from but its sound. `folder` None: in memory only."""

    def __init__(self, folder: Path | None, made_by: str, log: Log) -> None:
        self._folder = folder
        self._made_by = hashlib.sha256(made_by.encode()).hexdigest()[:16]
        self._log = log
        self._recent: OrderedDict[str, EncodedVoice] = OrderedDict()

    def get(self, digest: str) -> EncodedVoice | None:
        """The voice of the sound with this sha256, if it was encoded before. A spoiled file counts as none."""
        voice = self._recent.get(digest)
        if voice is None:
            voice = self._read(digest)
            if voice is not None:
                self._remember(digest, voice)
        else:
            self._recent.move_to_end(digest)
        return voice

    def put(self, digest: str, voice: EncodedVoice) -> EncodedVoice:
        """The same voice, now read-only. A folder that takes nothing is logged and costs the next start its time."""
        for array in voice:
            array.flags.writeable = False
        self._remember(digest, voice)
        if self._folder is not None:
            path = self._path(self._folder, digest)
            try:
                _write(path, voice)
                _prune(self._folder)
            except OSError as error:
                self._log.warning("voice not kept on disk", path=str(path), error=str(error))
        return voice

    def _remember(self, digest: str, voice: EncodedVoice) -> None:
        self._recent[digest] = voice
        if len(self._recent) > _IN_MEMORY:
            self._recent.popitem(last=False)

    def _read(self, digest: str) -> EncodedVoice | None:
        if self._folder is None:
            return None
        path = self._path(self._folder, digest)
        try:
            voice = _parse(path.read_bytes())
        except FileNotFoundError:
            return None
        except _SPOILED as error:
            self._log.warning("voice encoded again: its file is spoiled", path=str(path), error=str(error))
            return None
        with contextlib.suppress(OSError):  # a folder that cannot be written can still be read
            os.utime(path)
        return voice

    def _path(self, folder: Path, digest: str) -> Path:
        return folder / f"{digest}-{self._made_by}.npz"


def _parse(data: bytes) -> EncodedVoice:
    """Each array is read whole before it is looked at, so that the checksum of the archive was seen to hold."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        arrays = [_array(archive.read(f"{name}.npy")) for name in EncodedVoice._fields]
    kinds = [(str(array.dtype), array.ndim) for array in arrays]
    if kinds != [("int64", 1), ("float32", 1), ("float32", 2)]:
        raise ValueError(f"holds {kinds}")
    return EncodedVoice(*arrays)


def _array(data: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    array.flags.writeable = False
    return array


def _write(path: Path, voice: EncodedVoice) -> None:
    """Under its name stands the whole file or none, also where several processes write it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".new", delete=False) as file:
        try:
            np.savez(file, allow_pickle=False, **voice._asdict())
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _prune(folder: Path) -> None:
    """Of too many files the ones go that were not used for longest; other processes may do the same."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    if len(names) <= ON_DISK:
        return
    used: list[tuple[float, Path]] = []
    for path in (folder / name for name in names):
        with contextlib.suppress(FileNotFoundError):
            used.append((path.stat().st_mtime, path))
    for _, path in sorted(used)[: len(used) - ON_DISK]:
        path.unlink(missing_ok=True)
