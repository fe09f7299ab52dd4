"""The automata behind the grammars: built once, kept in a cache folder, read at every later start.

WeTextProcessing would write them into its own package's folder, which may be read-only or shared by environments. Here
they lie in `<cache>/grammars-<version>`, whose name changes with whatever they are made by. Building takes half a
minute and 0.9 GB, reading a second.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tn.chinese.normalizer import Normalizer as ChineseNormalizer
from tn.english.normalizer import Normalizer as EnglishNormalizer

from streamer.engines.glm.text.grammar import Automata
from streamer.errors import ConfigurationError, EngineError
from streamer.locks import held

_SUMS = "sha256.json"
_BUILDING = "building-"
_CHINESE_OPTIONS = {"remove_erhua": False, "full_to_half": True, "remove_interjections": False}


class Grammars(NamedTuple):
    chinese: Automata
    english: Automata


def open_grammars(cache: Path) -> Grammars:
    """Read from the folder, which is built where it is not there or not what was written.

    Two processes that find it missing do not disturb each other: the second waits and reads what the first built.
    Errors: ConfigurationError and EngineError that name the folder.
    """
    logging.getLogger("wetext").setLevel(logging.WARNING)  # it would tell of each file it reads, on stderr
    folder = cache / _name()
    try:
        if not _intact(folder):
            cache.mkdir(parents=True, exist_ok=True)
            with held(cache / "grammars.lock"):  # one builder at a time
                if not _intact(folder):
                    _build(folder)
        return _open(folder)
    except (FileNotFoundError, FileExistsError, NotADirectoryError, PermissionError) as error:
        raise ConfigurationError([_unusable(folder, error)]) from error
    except OSError as error:  # such as a full disk, which may be otherwise at the next start
        raise EngineError(_unusable(folder, error)) from error


def _unusable(folder: Path, error: OSError) -> str:
    return (
        f"{folder}: cannot keep the text grammars there ({error}); let engine.glm.cache name a folder that can be "
        "written, with 100 MB free"
    )


def _name() -> str:
    made_by = [version("WeTextProcessing"), version("pynini"), json.dumps(_CHINESE_OPTIONS, sort_keys=True)]
    return f"grammars-{made_by[0]}-{hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:8]}"


def _open(folder: Path) -> Grammars:
    """Builds and writes what is not in the folder yet."""
    return Grammars(
        ChineseNormalizer(cache_dir=str(folder), **_CHINESE_OPTIONS), EnglishNormalizer(cache_dir=str(folder))
    )


def _intact(folder: Path) -> bool:
    """Whether its files are those that were written: the library would end the process over a cut one, or worse."""
    try:
        sums = json.loads((folder / _SUMS).read_bytes())
        return bool(sums) and sums == _sums(folder)
    except (OSError, ValueError):
        return False


def _sums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.fst"))}


def _build(folder: Path) -> None:
    """In a folder of its own, which takes the name when it is whole. The lock is held."""
    for left in folder.parent.glob(f"{_BUILDING}*"):
        shutil.rmtree(left, ignore_errors=True)  # of processes that died over it
    building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=folder.parent))
    try:
        building.chmod(0o755)
        _open(building)
        (building / _SUMS).write_text(json.dumps(_sums(building)), encoding="utf-8")
        if folder.exists():
            folder.rename(building / "broken")
        building.rename(folder)
        shutil.rmtree(folder / "broken", ignore_errors=True)
    finally:
        shutil.rmtree(building, ignore_errors=True)
