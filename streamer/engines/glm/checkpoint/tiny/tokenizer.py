"""Tokenizer files: tiktoken ranks of bytes, of common characters and of a few English words, and the added tokens."""

from __future__ import annotations

import base64
import itertools
from typing import Any

from streamer.engines.glm.checkpoint.tiny.sizes import CODES

_SPECIAL = (
    "<|endoftext|> [MASK] [gMASK] [sMASK] <sop> <eop> <|system|> <|user|> <|assistant|> <|observation|> "
    "<|begin_of_image|> <|end_of_image|> <|begin_of_video|> <|end_of_video|> <|begin_of_audio|> <|end_of_audio|>"
)
_INITIALS = "B C CH D F G H J K L M N P Q R S SH T X Z ZH"
_FINALS = (
    "A12345 AI12345 AN12345 ANG12345 AO12345 E12345 EI12345 EN12345 ENG12345 ER234 I12345 IA12345 IAN12345 IANG12345 "
    "IAO12345 IE12345 II12345 III12345 IN12345 ING12345 IO1 IONG1234 IOU12345 O12345 ONG12345 OU12345 U12345 UA12345 "
    "UAI1234 UAN1234 UANG12345 UEI12345 UEN12345 UENG134 UO12345 V12345 VAN12345 VE1234 VN12345"
)
"""Each with the tones it is heard in; 204 phonemes with the initials."""
_PHONEMES = [
    *_INITIALS.split(),
    *(final.rstrip("12345") + tone for final in _FINALS.split() for tone in final if tone.isdigit()),
]
_PAIRS = (
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro"
)
_WORDS = "the and for you your order paid parcel has been shipped hello speech voice ready thank please class good"
_MARKS = "。，？！；：、“”‘’（）《》—…"

END = "<|user|>"
PAD = "<|endoftext|>"
BEGIN_OF_AUDIO = "<|begin_of_audio|>"
AUDIO = "<|audio_{}|>"


def ranks() -> list[bytes]:
    """Byte strings in the order of their ids. Pairs of bytes stand before the characters that are merged from them."""
    characters = [*_MARKS, *_common()]
    encoded = [character.encode() for character in characters]
    words = [word for spelled in _WORDS.split() for word in itertools.accumulate(f" {spelled}") if len(word) > 1]
    found = [bytes([value]) for value in range(256)]
    found += [pair.encode() for pair in _PAIRS.split()]
    found += [word.encode() for word in words]
    found += [code[:2] for code in encoded] + encoded
    return list(dict.fromkeys(found))


def rank_file(base: list[bytes]) -> bytes:
    """tokenizer.model: a line for each, base64 and id."""
    return b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(base))


def added_tokens(first: int) -> dict[str, int]:
    """Names and ids of all others, the audio tokens last."""
    phonemes = [f"<|{phoneme}|>" for phoneme in _PHONEMES]
    audio = [AUDIO.format(code) for code in range(CODES)]
    return {name: first + offset for offset, name in enumerate([*_SPECIAL.split(), *phonemes, *audio])}


def tokenizer_config(added: dict[str, int]) -> dict[str, Any]:
    """tokenizer_config.json."""
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {
        "tokenizer_class": "ChatGLM4Tokenizer",
        "added_tokens_decoder": {str(number): {"content": name, **flags} for name, number in added.items()},
        "clean_up_tokenization_spaces": False,
        "eos_token": PAD,
        "pad_token": PAD,
        "model_max_length": 128_000,
        "padding_side": "left",
    }


def _common() -> str:
    """The 3755 most common Chinese characters: the first level of GB 2312, rows 16 to 55."""
    codes = (bytes([high, low]) for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF))
    return "".join(code.decode("gb2312", errors="ignore") for code in codes)
