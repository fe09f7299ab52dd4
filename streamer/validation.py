"""What a request may hold: its rules, and all problems at once."""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from streamer.errors import RequestFailed
from streamer.formats import FORMATS, MAX_RATE, MIN_RATE, refusal
from streamer.records import FailureCode, Prompt, SpeechRequest

MAX_NAME = 200
MAX_CALLBACK = 2_000
MAX_PROMPT_AUDIO = 4_096
"""Characters of a path or a URI."""
MAX_PROMPT_TEXT = 1_000
"""Ten seconds of speech have some hundred and fifty."""
MAX_METADATA = 64
MAX_METADATA_KEY = 100
MAX_METADATA_VALUE = 1_000
MAX_SEED = 2**63 - 1
MAX_TIME = 253_402_300_799_999
"""The last millisecond of the year 9999."""

# C0, DEL and C1, and lone surrogates, which no UTF-8 can carry. A text may hold tabs and line ends.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_IN_URL = re.compile("[\x00-\x20\x7f-\x9f\ud800-\udfff]")


class Problem(NamedTuple):
    """What is wrong with one field, and what to send instead."""

    field: str
    message: str


class InvalidRequest(RequestFailed):
    """A request with all its problems, field by field."""

    def __init__(self, problems: Collection[Problem], code: FailureCode = FailureCode.INVALID_REQUEST) -> None:
        super().__init__(code, "; ".join(f"{field}: {message}" for field, message in problems))
        self.problems = tuple(problems)


# Decimals keep 1.10 what it is: an amount that is read aloud must not become 1.1.
_VALUES = msgspec.json.Decoder(float_hook=Decimal)
# What a decoder raises beside its own errors: bad UTF-8, numbers no Decimal holds, nesting.
UNREADABLE = (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError)

_NOTHING_TO_SPEAK = Problem("text", "is empty or only white space; give words to speak")
NO_OBJECT = Problem("event.data", "is not one JSON object; send the event's fields as {…}")


def problems(request: SpeechRequest, formats: Collection[str] = FORMATS) -> list[Problem]:
    """All that is wrong with a request; empty for one that may go to the engine."""
    found: list[Problem] = []
    if not request.source:
        found.append(Problem("source", f"is empty; name the system that asks, in 1 to {MAX_NAME} characters"))
    _name(found, "source", request.source)
    _name(found, "id", request.id)
    _speech(found, request)
    _options(found, request, formats)
    if request.metadata:
        _metadata(found, request.metadata)
    if request.callback is not None:
        _callback(found, request.callback)
    _time(found, "expires_at", request.expires_at)
    _time(found, "requested_at", request.requested_at)
    return found


def checked(request: SpeechRequest, formats: Collection[str] = FORMATS) -> None:
    """Errors: InvalidRequest, with the code text_empty where that is all that is wrong, else invalid_request."""
    if found := problems(request, formats):
        code = FailureCode.TEXT_EMPTY if found == [_NOTHING_TO_SPEAK] else FailureCode.INVALID_REQUEST
        raise InvalidRequest(found, code)


def _name(found: list[Problem], field: str, value: str) -> None:
    if len(value) > MAX_NAME:
        found.append(Problem(field, f"has {len(value)} characters; at most {MAX_NAME} are allowed"))
    if not value.isprintable() and (match := _CONTROL.search(value)):
        found.append(Problem(field, f"holds the control character {_shown(match)}; leave it out"))


def _speech(found: list[Problem], request: SpeechRequest) -> None:
    text, event = request.text, request.event
    if text is None and event is None:
        found.append(Problem("text", "is missing; give either text or event"))
    if text is not None:
        if event is not None:
            found.append(Problem("text", "stands beside event; give either text or event"))
        if not text or text.isspace():
            found.append(_NOTHING_TO_SPEAK)
        elif not text.isprintable() and (match := _CONTROL_IN_TEXT.search(text)):
            message = f"holds the control character {_shown(match)}; only tabs and line ends are allowed"
            found.append(Problem("text", message))
    if event is not None:
        if not event.type:
            found.append(Problem("event.type", "is empty; name the kind of event, for instance order.paid"))
        _name(found, "event.type", event.type)
        if json_object(event.data) is None:
            found.append(NO_OBJECT)


def _options(found: list[Problem], request: SpeechRequest, formats: Collection[str]) -> None:
    if request.voice is not None:
        _name(found, "voice", request.voice)
        if request.prompt is not None:
            found.append(Problem("voice", "stands beside prompt; give a preset or an inline voice, not both"))
    if (prompt := request.prompt) is not None:
        _prompt(found, prompt)
    _format(found, request.format, request.sample_rate, formats)
    seed = request.seed
    if seed is not None and not 0 <= seed <= MAX_SEED:
        found.append(Problem("seed", "is out of range; use a number from 0 to 2**63 - 1"))
    if (name := request.output_name) is not None:
        _name(found, "output_name", name)
        if not name:
            found.append(Problem("output_name", "is empty; leave it out or give a file name"))
        elif name in {".", ".."} or "/" in name or "\\" in name:
            found.append(Problem("output_name", "is a path; give a plain file name without slashes, not . or .."))


def _format(found: list[Problem], format: str | None, rate: int | None, formats: Collection[str]) -> None:
    if format is not None and format not in formats:
        found.append(Problem("format", f"is unknown; leave it out or use one of {', '.join(sorted(formats))}"))
    if rate is not None and not MIN_RATE <= rate <= MAX_RATE:
        found.append(Problem("sample_rate", f"is {rate}; allowed are {MIN_RATE} to {MAX_RATE} a second"))
    elif rate is not None and format is not None and format in FORMATS and (reason := refusal(format, rate)):
        # A format left out is the worker's own, which refuses the pair when it comes to write it.
        found.append(Problem("sample_rate", reason))


def _prompt(found: list[Problem], prompt: Prompt) -> None:
    for field, value, most in (
        ("prompt.prompt_audio", prompt.prompt_audio, MAX_PROMPT_AUDIO),
        ("prompt.prompt_text", prompt.prompt_text, MAX_PROMPT_TEXT),
    ):
        if not value or value.isspace():
            found.append(Problem(field, "is empty; a prompt needs both prompt_audio and prompt_text"))
        elif len(value) > most:
            found.append(Problem(field, f"has {len(value)} characters; at most {most} are allowed"))
        elif match := _CONTROL_IN_TEXT.search(value):
            found.append(Problem(field, f"holds the control character {_shown(match)}; leave it out"))


def _metadata(found: list[Problem], metadata: dict[str, str]) -> None:
    if len(metadata) > MAX_METADATA:
        found.append(Problem("metadata", f"has {len(metadata)} entries; at most {MAX_METADATA} are allowed"))
    for key, value in metadata.items():
        if len(key) > MAX_METADATA_KEY:
            message = f"has a key of {len(key)} characters; at most {MAX_METADATA_KEY} are allowed"
        elif len(value) > MAX_METADATA_VALUE:
            message = f"has {len(value)} characters under {key!a}; at most {MAX_METADATA_VALUE} are allowed"
        elif not (key.isprintable() and value.isprintable()) and _SURROGATE.search(key + value):
            message = f"holds a lone surrogate under {key!a}; send valid Unicode"
        else:
            continue
        found.append(Problem("metadata", message))
        return  # one is enough to act on; thousands would only fill the answer


def _callback(found: list[Problem], url: str) -> None:
    if len(url) > MAX_CALLBACK:
        found.append(Problem("callback", f"has {len(url)} characters; at most {MAX_CALLBACK} are allowed"))
    elif _NOT_IN_URL.search(url) or not _is_web_address(url):
        found.append(Problem("callback", "is no http:// or https:// URL; give the address to be told of the result"))


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an unclosed bracket, a port out of range
        return False


def _time(found: list[Problem], field: str, value: int | None) -> None:
    if value is not None and not 0 <= value <= MAX_TIME:
        found.append(Problem(field, "is out of range; give milliseconds since the epoch, from 0 up to the year 9999"))


def json_object(data: str) -> dict[str, Any] | None:
    """One JSON object, None where it is anything else."""
    try:
        value = _VALUES.decode(data)
    except UNREADABLE:
        return None
    return value if isinstance(value, dict) else None


def _shown(match: re.Match[str]) -> str:
    return f"U+{ord(match[0]):04X} at position {match.start()}"
