from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.engines.glm.voice import cache as module
from streamer.engines.glm.voice.cache import EncodedVoice, VoiceCache
from streamer.engines.glm.voice.encoder import VoiceEncoder
from tests.engines.glm.golden import TINY, sound
from tests.engines.glm.voice.test_encoder import opened, same


class Notes:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def warning(self, event: str, **fields: object) -> None:
        self.events.append(event)

    debug = info = error = warning

    def bind(self, **fields: object) -> Notes:
        return self


def voice(number: int = 0) -> EncodedVoice:
    random = np.random.default_rng(number)
    return EncodedVoice(
        random.integers(0, 32768, 9), random.random(192, np.float32), random.random((18, 80), np.float32)
    )


@pytest.fixture
def notes() -> Iterator[Notes]:
    """Nothing is said of what goes well."""
    notes = Notes()
    yield notes
    assert notes.events == []


def test_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory within one encoder, on disk for all of them, and to the bit what it was."""
    first = opened(tmp_path)
    fresh = first.encode(sound("p24k"))
    assert len(list((tmp_path / "voices").iterdir())) == 1
    second = opened(tmp_path)
    other = VoiceEncoder.open(TINY, 32_000, "cpu", tmp_path)
    monkeypatch.delattr(VoiceEncoder, "voice_of")
    assert first.encode(sound("p24k")) is fresh
    assert same(second.encode(sound("p24k")), fresh)
    with pytest.raises(AttributeError):
        other.encode(sound("p24k"))  # of another rate


def test_there_and_back(tmp_path: Path, notes: Notes) -> None:
    VoiceCache(tmp_path, "a", notes).put("00", voice())
    found = VoiceCache(tmp_path, "a", notes).get("00")
    assert found is not None
    assert same(found, voice())
    assert not any(array.flags.writeable for array in found)
    assert VoiceCache(tmp_path, "a", notes).get("01") is None
    assert VoiceCache(tmp_path, "b", notes).get("00") is None


def test_whatever_byte_is_spoiled_the_voice_is_right_or_none(tmp_path: Path) -> None:
    notes = Notes()
    VoiceCache(tmp_path, "a", notes).put("00", voice())
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for place in [*range(300), *range(300, len(whole), 97), *range(len(whole) - 300, len(whole))]:
        spoiled = bytearray(whole)
        spoiled[place] ^= 0x55
        path.write_bytes(spoiled)
        found = VoiceCache(tmp_path, "a", notes).get("00")
        assert found is None or same(found, voice()), place
    for length in range(0, len(whole), 331):
        path.write_bytes(whole[:length])
        assert VoiceCache(tmp_path, "a", notes).get("00") is None
    assert set(notes.events) == {"voice encoded again: its file is spoiled"}


def test_a_spoiled_file_is_made_again(tmp_path: Path) -> None:
    fresh = opened(tmp_path).encode(sound("p24k"))
    (path,) = (tmp_path / "voices").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:1_000])
    notes = Notes()
    again = VoiceEncoder.open(TINY, 24_000, "cpu", tmp_path, notes).encode(sound("p24k"))
    assert same(again, fresh)
    assert notes.events == ["voice encoded again: its file is spoiled"]
    assert same(opened(tmp_path).encode(sound("p24k")), fresh)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    notes = Notes()
    VoiceCache(tmp_path, "a", notes).put("00", voice())
    (path,) = tmp_path.iterdir()
    objects: Any = {name: np.array([print], dtype=object) for name in EncodedVoice._fields}
    with path.open("wb") as file:
        np.savez(file, **objects)
    assert VoiceCache(tmp_path, "a", notes).get("00") is None


def test_the_last_ones_stay_in_memory(notes: Notes) -> None:
    cache = VoiceCache(None, "a", notes)
    for number in range(module._IN_MEMORY):
        cache.put(str(number), voice(number))
    assert cache.get("0") is not None
    cache.put("more", voice())
    assert cache.get("1") is None
    assert cache.get("0") is not None


def test_the_disk_does_not_fill(tmp_path: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ON_DISK", 3)
    for number in range(3):
        VoiceCache(tmp_path, "a", notes).put(str(number), voice(number))
    for age, path in enumerate(sorted(tmp_path.iterdir())):
        os.utime(path, (1_000 + age, 1_000 + age))
    assert VoiceCache(tmp_path, "a", notes).get("0") is not None  # used just now
    VoiceCache(tmp_path, "a", notes).put("3", voice(3))
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["0", "2", "3"]


def test_a_folder_that_takes_nothing_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "voices").write_bytes(b"a file")
    notes = Notes()
    cache = VoiceCache(tmp_path / "voices", "a", notes)
    assert same(cache.put("00", voice()), voice())
    assert cache.get("00") is not None
    assert cache.get("01") is None
    assert "voice not kept on disk" in notes.events


def test_nothing_is_left_of_a_write_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    notes = Notes()
    VoiceCache(tmp_path, "a", notes).put("00", voice())
    assert notes.events == ["voice not kept on disk"]
    assert list(tmp_path.iterdir()) == []
