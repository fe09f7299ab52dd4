"""What is spoken: texts whose lengths spread the audio over 2 to 15 seconds, in one voice with a prompt of 5 s.

Weights of noise never draw the end, so that a segment speaks the most that it may: 20 speech tokens, 0.8 s, for each of
its text tokens. The text alone forces the length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from streamer.engines.base import Utterance
from streamer.engines.glm.checkpoint.tiny import example
from streamer.voices import PromptSound, Voice

LENGTHS = range(3, 19)
"""Text tokens."""
SECONDS = 0.8
"""Of audio for a text token."""
PROMPT_SECONDS = 5.0
PROMPT_TEXT = "你好，这是一段五秒长的合成提示音。"
_STRIDE = 7
"""Has no divisor in common with the number of lengths: so many texts in a row have each length once."""
_STOCK = (
    "您的包裹已经发出预计周末上午送到请在家等候谢谢您的耐心我们会尽快安排新的时间如有疑问请随时联系客服祝您生活愉快"
    "今天的作业全部做对了老师非常高兴请继续努力明天见"
)
_TRIES = 64


class Text(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    """Its seed, too."""
    text: str
    tokens: int
    """Text tokens, the closing mark among them."""

    @property
    def seconds(self) -> float:
        """Of its audio."""
        return SECONDS * self.tokens


def texts(count: int, segments: Callable[[str], Sequence[int]]) -> list[Text]:
    """`segments`: the text tokens of each segment of a text, by the front end. Errors: ValueError where no text of some
    length is found."""
    return [_text(number, segments) for number in range(count)]


def _text(number: int, segments: Callable[[str], Sequence[int]]) -> Text:
    tokens = LENGTHS[number * _STRIDE % len(LENGTHS)]
    for attempt in range(_TRIES):
        start = (5 * number + attempt) % (len(_STOCK) - LENGTHS[-1])
        text = f"{_STOCK[start : start + tokens - 1]}。"
        if list(segments(text)) == [tokens]:
            return Text(number=number, text=text, tokens=tokens)
    raise ValueError(f"no text of {tokens} tokens and one segment is found")


def evenly(given: Sequence[Text], count: int) -> list[Text]:
    """A few of them, whose lengths stand for all: the middles of as many equal shares, by length."""
    ordered = sorted(given, key=lambda text: (text.tokens, text.number))
    count = min(count, len(ordered))
    return [ordered[(2 * place + 1) * len(ordered) // (2 * count)] for place in range(count)]


def shortest(given: Sequence[Text], count: int) -> list[Text]:
    return sorted(given, key=lambda text: (text.tokens, text.number))[:count]


def prompt() -> PromptSound:
    """5.00 s, as the tiny checkpoint's own is made: 125 speech tokens, 250 frames."""
    return PromptSound.of(example.prompt(16, 0.34), PROMPT_TEXT)


def utterance(text: Text, voice: Voice) -> Utterance:
    return Utterance(text=text.text, voice=voice, seed=text.number, phoneme=False)


def voice() -> Voice:
    return Voice(name="benchmark", prompt=prompt())
