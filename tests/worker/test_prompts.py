from __future__ import annotations

import errno
import gc
import hashlib
import os
from pathlib import Path

import pytest

from streamer.errors import RequestFailed, StoreRejected, StoreUnavailable
from streamer.records import Prompt
from streamer.store.base import Store
from streamer.store.disk import DiskStore
from streamer.voices import MAX_PROMPT
from streamer.worker.prompts import INLINE, Prompts
from tests.worker.builders import TroubledStore

KEY = f"{'0a' * 32}/{'1b' * 32}.wav"


def prompt(audio: object, text: str = "您好") -> Prompt:
    return Prompt(prompt_audio=str(audio), prompt_text=text)


def refusal(prompts: Prompts, audio: object) -> str:
    with pytest.raises(RequestFailed) as raised:
        prompts.voice(prompt(audio))
    assert raised.value.code == "voice_unknown"
    assert raised.value.message.startswith("prompt.prompt_audio: ")
    return raised.value.message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Beside files that no request may have."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.wav").write_bytes(b"secret")
    inside = tmp_path / "prompts"
    (inside / "below").mkdir(parents=True)
    (inside / "below" / "王 1.wav").write_bytes(b"sound")
    return inside


def test_a_file_of_an_allowed_folder(folder: Path) -> None:
    prompts, file = Prompts([folder], None), folder / "below" / "王 1.wav"
    for named in (
        file,
        file.as_uri(),
        file.as_uri().replace("file:///", "file://localhost/"),
        f"{folder}/./below/{file.name}",
    ):
        voice = prompts.voice(prompt(named))
        assert not prompts.in_store(prompt(named))
        assert voice.name == INLINE
        assert voice.prompt is not None
        assert (voice.prompt.audio, voice.prompt.text) == (b"sound", "您好")
        assert voice.prompt.sha256 == hashlib.sha256(b"sound").hexdigest()


def test_the_voice_is_another_where_sound_or_text_is(folder: Path) -> None:
    prompts, file = Prompts([folder], None), folder / "below" / "王 1.wav"
    before = prompts.voice(prompt(file)).hash
    assert prompts.voice(prompt(file)).hash == before
    assert prompts.voice(prompt(file, "再见")).hash != before
    file.write_bytes(b"another")
    assert prompts.voice(prompt(file)).hash != before


@pytest.mark.parametrize(
    "named",
    [
        "{outside}/key.wav",
        "{folder}/../secret/key.wav",
        "{folder}/%2e%2e/secret/key.wav",
        "file://{folder}/../secret/key.wav",
        "file://{folder}/%2e%2e/secret/key.wav",
        "{folder}/link.wav",
        "{folder}/linked/key.wav",
        "file://elsewhere{folder}/below/王 1.wav",
        "file://{folder}/below/王 1.wav?x=1",
        "file://{folder}/below/王 1.wav#x",
        "file://{folder}/below/王 1.wav%00",
        "{folder}-beside/a.wav",
        "below/王 1.wav",
        "王 1.wav",
        "",
        "http://127.0.0.1:1/a.wav",
        "https://example.org/a.wav",
        "s3://bucket/a.wav",
        "data:audio/wav;base64,AAAA",
        "file://[::1/a.wav",
        "~/a.wav",
        "//{folder}/x/../../../secret/key.wav",
    ],
)
def test_nothing_else_is_read(folder: Path, named: str) -> None:
    outside = folder.parent / "secret"
    (folder / "link.wav").symlink_to(outside / "key.wav")
    (folder / "linked").symlink_to(outside)
    folder.with_name("prompts-beside").mkdir()
    folder.with_name("prompts-beside").joinpath("a.wav").write_bytes(b"beside")
    message = refusal(Prompts([folder], None), named.format(folder=folder, outside=outside))
    assert "voices.prompt_folders" in message or "No such file" in message


def test_what_is_elsewhere_is_not_told(folder: Path) -> None:
    """Whether there is a file or not, a sender hears the same."""
    prompts, outside = Prompts([folder], None), folder.parent / "secret"
    there, gone = (refusal(prompts, outside / name).replace(name, "NAME") for name in ("key.wav", "none.wav"))
    assert there == gone


def test_without_folders_no_file_is_read(folder: Path) -> None:
    assert "voices.prompt_folders" in refusal(Prompts([], None), folder / "below" / "王 1.wav")


def test_a_folder_may_be_a_link_and_links_within_it_are_followed(folder: Path) -> None:
    linked = folder.with_name("current")
    linked.symlink_to(folder)
    (folder / "same.wav").symlink_to("below/王 1.wav")
    prompts = Prompts([linked], None)
    for named in (linked / "same.wav", folder / "same.wav"):
        voice = prompts.voice(prompt(named))
        assert voice.prompt and voice.prompt.audio == b"sound"


def test_what_is_wrong_with_a_file_is_told(folder: Path) -> None:
    prompts = Prompts([folder], None)
    assert "No such file" in refusal(prompts, folder / "none.wav")
    assert "is no file" in refusal(prompts, folder / "below")
    (folder / "empty.wav").touch()
    assert "is empty" in refusal(prompts, folder / "empty.wav")
    os.mkfifo(folder / "pipe.wav")
    assert "is no file" in refusal(prompts, folder / "pipe.wav")
    with (folder / "large.wav").open("wb") as large:
        large.truncate(MAX_PROMPT + 1)
    assert f"more than {MAX_PROMPT} bytes" in refusal(prompts, folder / "large.wav")
    (folder / "loop.wav").symlink_to("loop.wav")
    assert os.strerror(errno.ELOOP) in refusal(prompts, folder / "loop.wav")
    assert len(refusal(prompts, "x" * 4000)) < 700


def test_a_folder_that_is_exchanged_for_a_link_meanwhile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at, and then opened, are two calls."""
    opened = os.open

    def exchange(path: str, flags: int) -> int:
        (folder / "below").rename(folder / "away")
        (folder / "below").symlink_to(folder.parent / "secret")
        return opened(path, flags)

    (folder / "below" / "key.wav").write_bytes(b"sound")
    monkeypatch.setattr(os, "open", exchange)
    message = refusal(Prompts([folder], None), folder / "below" / "key.wav")
    assert "was moved" in message
    monkeypatch.undo()


# The store


def stores(tmp_path: Path) -> list[Store]:
    return [TroubledStore(), DiskStore(tmp_path / "the store")]


def test_an_audio_of_the_store_by_the_uri_of_its_result(tmp_path: Path) -> None:
    for store in stores(tmp_path):
        store.put(KEY, b"sound")
        prompts, named = Prompts([], store), prompt(store.uri(KEY))
        assert prompts.in_store(named)
        voice = prompts.voice(named)
        assert voice.prompt and voice.prompt.audio == b"sound"
        store.close()


@pytest.mark.parametrize(
    "key",
    [
        f"{'0a' * 32}/verdict-1.json",
        "store/id",
        f"groups/x/{KEY}",
        f"{'0a' * 32}/{'1b' * 32}.wav/x",
        f"{'0a' * 32}/../{KEY}",
        f"{'0a' * 32}/{'1b' * 32}.wav?x",
        "",
    ],
)
def test_nothing_else_of_the_store_is_read(tmp_path: Path, key: str) -> None:
    for store in stores(tmp_path):
        root = store.uri("-").removesuffix("-")
        store.put(f"{'0a' * 32}/verdict-1.json", b"a verdict")
        store.put("store/id", b"an id")
        prompts = Prompts([], store)
        assert not prompts.in_store(prompt(root + key))
        assert "voices.prompt_folders" in refusal(prompts, root + key)
        store.close()


def test_an_audio_that_is_not_there(tmp_path: Path) -> None:
    for store in stores(tmp_path):
        assert "was deleted" in refusal(Prompts([], store), store.uri(KEY))
        store.close()


def test_another_deployments_store_is_none(tmp_path: Path) -> None:
    ours, other = DiskStore(tmp_path / "ours"), DiskStore(tmp_path / "ours-too")
    other.put(KEY, b"sound")
    assert "this deployment's store" in refusal(Prompts([], ours), other.uri(KEY))
    ours.close()
    other.close()


def test_a_store_that_is_down_is_the_callers_matter_and_one_that_refuses_the_requests() -> None:
    class Refusing(TroubledStore):
        def get(self, key: str) -> bytes | None:
            raise StoreRejected("injected")

    store = Refusing()
    store.put(KEY, b"sound")
    assert "cannot be read in the store: injected" in refusal(Prompts([], store), store.uri(KEY))
    down = TroubledStore()
    down.down = True
    with pytest.raises(StoreUnavailable):
        Prompts([], down).voice(prompt(down.uri(KEY)))


def test_a_large_audio_is_not_fetched() -> None:
    class Large(TroubledStore):
        def size(self, key: str) -> int | None:
            return MAX_PROMPT + 1

        def get(self, key: str) -> bytes | None:
            raise AssertionError("it was fetched")

    store = Large()
    assert f"more than {MAX_PROMPT} bytes" in refusal(Prompts([], store), store.uri(KEY))


def test_one_sound_is_held_once(folder: Path) -> None:
    prompts, file = Prompts([folder], None), folder / "below" / "王 1.wav"
    first, second = prompts.voice(prompt(file)), prompts.voice(prompt(file))
    assert first.prompt is second.prompt
    assert prompts.voice(prompt(file, "再见")).prompt is not first.prompt
    del first, second
    gc.collect()
    assert not prompts._sounds
