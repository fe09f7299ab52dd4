"""The folder of automata, with small ones: the real ones take half a minute."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

from streamer.engines.glm.text import grammars
from streamer.engines.glm.text.grammars import open_grammars
from streamer.errors import ConfigurationError, EngineError


class Normalizer:
    """Writes what is not there, as the library does, but less of it."""

    prefix = ""
    wait = 0.0

    def __init__(self, cache_dir: str, **options: Any) -> None:
        path = Path(cache_dir) / f"{self.prefix}_tagger.fst"
        if not path.exists():
            time.sleep(self.wait)
            path.write_bytes(self.prefix.encode() * 100)
            with (Path(cache_dir).parent / "built").open("a") as log:
                log.write(self.prefix)
        if path.read_bytes() != self.prefix.encode() * 100:
            raise RuntimeError("a spoiled file reached the library")


class Chinese(Normalizer):
    prefix = "zh"


class English(Normalizer):
    prefix = "en"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammars, "ChineseNormalizer", Chinese)
    monkeypatch.setattr(grammars, "EnglishNormalizer", English)


def folder(cache: Path) -> Path:
    (found,) = (path for path in cache.iterdir() if path.is_dir())
    return found


def test_they_are_built_once(tmp_path: Path) -> None:
    open_grammars(tmp_path / "new" / "cache")
    open_grammars(tmp_path / "new" / "cache")
    assert (tmp_path / "new" / "cache" / "built").read_text() == "zhen"
    assert folder(tmp_path / "new" / "cache").name.startswith("grammars-1.2.0-")


@pytest.mark.parametrize("how", ["cut", "changed", "missing", "no sums", "spoiled sums"])
def test_a_broken_folder_is_built_anew(tmp_path: Path, how: str) -> None:
    open_grammars(tmp_path)
    tagger, sums = folder(tmp_path) / "zh_tagger.fst", folder(tmp_path) / "sha256.json"
    match how:
        case "cut":
            tagger.write_bytes(tagger.read_bytes()[:-1])
        case "changed":
            tagger.write_bytes(b"x" + tagger.read_bytes()[1:])
        case "missing":
            tagger.unlink()
        case "no sums":
            sums.unlink()
        case _:
            sums.write_text("[")
    open_grammars(tmp_path)
    assert (tmp_path / "built").read_text() == "zhenzhen"
    assert sorted(path.name for path in folder(tmp_path).iterdir()) == ["en_tagger.fst", "sha256.json", "zh_tagger.fst"]


def test_what_a_dead_builder_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "building-dead").mkdir()
    (tmp_path / "building-dead" / "zh_tagger.fst").write_bytes(b"half")
    open_grammars(tmp_path)
    assert not (tmp_path / "building-dead").exists()


def test_a_builder_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(English):
        def __init__(self, cache_dir: str) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(grammars, "EnglishNormalizer", Full)
    with pytest.raises(EngineError, match=r"No space left.*engine\.glm\.cache"):
        open_grammars(tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_cache_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file.*engine\.glm\.cache name a folder"):
        open_grammars(tmp_path / "file")


def _open_slowly(cache: Path) -> None:
    Chinese.wait = English.wait = 0.2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grammars, "ChineseNormalizer", Chinese)
        patch.setattr(grammars, "EnglishNormalizer", English)
        open_grammars(cache)


def test_processes_that_build_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open_slowly, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "built").read_text() == "zhen"
