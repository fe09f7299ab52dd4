"""What takes seconds to read, once for all tests of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.engines.glm.text.dictionary import Dictionary
from streamer.engines.glm.text.front import TextFront
from streamer.engines.glm.text.grammars import Grammars, open_grammars
from streamer.engines.glm.text.phonemes import Words, only_phonemes
from streamer.engines.glm.text.splitting import Syllables
from streamer.engines.glm.text.tables import read_tables
from streamer.engines.glm.text.tokenizer import Tokenizer
from tests.engines.glm.golden import TINY

Open = Callable[[Path | None], TextFront]


@pytest.fixture(scope="session")
def grammars(glm_cache: Path) -> Grammars:
    return open_grammars(glm_cache)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.open(TINY)


@pytest.fixture(scope="session")
def syllables() -> Syllables:
    return Syllables()


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Words:
    return Words(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="session")
def open_front(tokenizer: Tokenizer, grammars: Grammars, syllables: Syllables, words: Words) -> Open:
    """A front end with a dictionary of its own; None: the shipped one."""

    def opened(path: Path | None) -> TextFront:
        tables = read_tables()
        dictionary = Dictionary(path or tables.dictionary, only_phonemes(tokenizer.phonemes))
        return TextFront(tokenizer, tables, dictionary, grammars, syllables, words)

    return opened


@pytest.fixture(scope="session")
def front(open_front: Open) -> TextFront:
    return open_front(None)
