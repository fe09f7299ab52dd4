"""Tokens of a text: byte-level BPE of a tiktoken rank file, and what is added to it by name.

The folder also holds Python code that the `transformers` library would run to read these two files. It is never
imported here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from pathlib import Path

import msgspec
import tiktoken

from streamer.engines.glm.checkpoint.configs import read_json
from streamer.engines.glm.checkpoint.layout import Layout, present
from streamer.errors import CheckpointError

_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How text falls into pieces before they are merged: the published format of ChatGLM4's vocabulary."""

_PHONEME = re.compile(r"<\|[A-Z]+[1-5]?\|>")
_AUDIO_TOKENS = 32768


class SpecialTokens(msgspec.Struct, frozen=True):
    """Ids, looked up by name."""

    end_of_audio: int
    begin_of_audio: int
    audio_first: int
    audio_last: int
    """Of 32,768 in a row."""
    endoftext: int


class _Added(msgspec.Struct):
    content: str
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False


class _Config(msgspec.Struct):
    added_tokens_decoder: dict[str, _Added]


class Tokenizer:
    """`phonemes`: the names of the added tokens that stand for a sound, as they are written: `<|X|>`, `<|IAN2|>`.

    Of all added tokens only these are ever found in a text. Whatever else looks like one, as `<|user|>` which ends the
    speech, is taken for the characters that it is written with: a sender's text gives the model no commands.
    """

    def __init__(self, ranks: dict[bytes, int], added: dict[str, int], digest: str) -> None:
        self._bpe = tiktoken.Encoding(name="glm", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})
        self._added = added
        self.phonemes = frozenset(name for name in added if _PHONEME.fullmatch(name))
        self.special = _special(added)
        self.digest = digest
        """Hex, of both files."""

    @staticmethod
    def open(layout: Layout) -> Tokenizer:
        """Errors: CheckpointError that names the file, and the line or token where it is one."""
        ranks = _read_ranks(layout.tokenizer_ranks)
        added = _read_added(layout.tokenizer_config, len(ranks))
        digest = hashlib.sha256()
        for path in (layout.tokenizer_ranks, layout.tokenizer_config):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        try:
            return Tokenizer(ranks, added, digest.hexdigest())
        except CheckpointError as error:
            raise CheckpointError(f"{layout.tokenizer_config}: {error}") from error

    def encode(self, text: str) -> list[int]:
        """Of plain text: no added token is in it, whatever it looks like."""
        return self._bpe.encode_ordinary(text)

    def encode_with_phonemes(self, text: str) -> list[int]:
        """Of text with phoneme tokens; what stands between them is encoded piece by piece."""
        ids: list[int] = []
        start = 0
        for found in _PHONEME.finditer(text):
            if found[0] in self.phonemes:
                ids += self._bpe.encode_ordinary(text[start : found.start()])
                ids.append(self._added[found[0]])
                start = found.end()
        return ids + self._bpe.encode_ordinary(text[start:])


def _special(added: dict[str, int]) -> SpecialTokens:
    names = ("<|user|>", "<|begin_of_audio|>", "<|audio_0|>", f"<|audio_{_AUDIO_TOKENS - 1}|>", "<|endoftext|>")
    missing = [name for name in names if name not in added]
    if missing:
        raise CheckpointError(f"has no added token {' '.join(missing)}")
    special = SpecialTokens(*(added[name] for name in names))
    if special.audio_last - special.audio_first != _AUDIO_TOKENS - 1:
        raise CheckpointError(f"its audio tokens are not {_AUDIO_TOKENS} ids in a row")
    if min(added[name] for name in names) < special.endoftext:
        raise CheckpointError("a control token comes before <|endoftext|>, the first of the added ones")
    return special


def _read_ranks(path: Path) -> dict[bytes, int]:
    """Lines of "base64 rank"."""
    ranks: dict[bytes, int] = {}
    try:
        lines = present(path).read_bytes().splitlines()
    except OSError as error:
        raise CheckpointError(f"{path}: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise CheckpointError(f"{path}:{number}: is no token and rank") from error
    # Merging looks for each single byte, and the library ends the process where one has no rank.
    if sorted(ranks.values()) != list(range(len(ranks))) or any(bytes([byte]) not in ranks for byte in range(256)):
        raise CheckpointError(f"{path}: its ranks are not those of all bytes and their merges, each once, from 0")
    return ranks


def _read_added(path: Path, ranks: int) -> dict[str, int]:
    added: dict[str, int] = {}
    for number, token in read_json(path, _Config).added_tokens_decoder.items():
        if not number.isascii() or not number.isdigit():
            raise CheckpointError(f"{path}: the added token {token.content!r} has no number for its id: {number!r}")
        added[token.content] = int(number)
        if _PHONEME.fullmatch(token.content) and (token.lstrip or token.rstrip or token.single_word):
            raise CheckpointError(f"{path}: {token.content} takes white space or whole words, which is not known here")
    if any(number < ranks for number in added.values()):
        raise CheckpointError(f"{path}: an added token has the id of a token in tokenizer.model")
    return added
