"""What a request may hold: its rules, all problems at once, and strict reading of a request from JSON."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from streamer.errors import RequestFailed
from streamer.formats import FORMATS, MAX_RATE, MIN_RATE, refusal
from streamer.records import Event, FailureCode, Prompt, SpeechRequest

MAX_NAME = 200
MAX_CALLBACK = 2_000
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


_NOTHING_TO_SPEAK = Problem("text", "is empty or only white space; give words to speak")
_NO_OBJECT = Problem("event.data", "is not one JSON object; send the event's fields as {…}")


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
        if _object(event.data) is None:
            found.append(_NO_OBJECT)


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
    for field, value in (("prompt.prompt_audio", prompt.prompt_audio), ("prompt.prompt_text", prompt.prompt_text)):
        if not value or value.isspace():
            found.append(Problem(field, "is empty; a prompt needs both prompt_audio and prompt_text"))
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


def _object(data: str) -> dict[str, Any] | None:
    try:
        value = _VALUES.decode(data)
    except _UNREADABLE:
        return None
    return value if isinstance(value, dict) else None


def _shown(match: re.Match[str]) -> str:
    return f"U+{ord(match[0]):04X} at position {match.start()}"


class _EventBody(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    data: Any


class _PromptBody(msgspec.Struct, forbid_unknown_fields=True):
    prompt_audio: str
    prompt_text: str


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """SpeechRequest as people write it: times also as text, the event's data also as an object."""

    source: str | None = None
    id: str = ""
    text: str | None = None
    event: _EventBody | None = None
    voice: str | None = None
    prompt: _PromptBody | None = None
    format: str | None = None
    sample_rate: int | None = None
    seed: int | None = None
    phoneme: bool | None = None
    output_name: str | None = None
    metadata: dict[str, str] = {}
    callback: str | None = None
    expires_at: int | str | None = None
    requested_at: int | str = 0


# Decimals keep 1.10 what it is: an amount that is read aloud must not become 1.1.
_BODIES = msgspec.json.Decoder(_Body, float_hook=Decimal)
_VALUES = msgspec.json.Decoder(float_hook=Decimal)
_CANONICAL = msgspec.json.Encoder(order="sorted", decimal_format="number")
# What a decoder raises beside its own errors: bad UTF-8, numbers no Decimal holds, nesting.
_UNREADABLE = (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError)


def from_json(data: bytes | str, source: str | None = None) -> SpeechRequest:
    """One JSON object as a request; `source` stands in where the object names none.

    Only shape and types are judged here, the rules by `checked`. An event's data becomes canonical text (keys sorted),
    so that a sender who repeats a request with another order of keys repeats it.

    Errors: InvalidRequest that names the place in the JSON.
    """
    try:
        body = _BODIES.decode(data)
    except msgspec.ValidationError as error:
        raise InvalidRequest([_located(str(error))]) from error
    except _UNREADABLE as error:
        raise InvalidRequest([Problem("body", _malformed(error, len(data)))]) from error
    source = body.source if body.source is not None else source
    if source is None:
        raise InvalidRequest([Problem("source", "is missing; name the system that asks")])
    prompt = body.prompt
    return SpeechRequest(
        source=source,
        id=body.id,
        text=body.text,
        event=None if body.event is None else Event(type=body.event.type, data=_event_data(body.event.data)),
        voice=body.voice,
        prompt=None if prompt is None else Prompt(prompt_audio=prompt.prompt_audio, prompt_text=prompt.prompt_text),
        format=body.format,
        sample_rate=body.sample_rate,
        seed=body.seed,
        phoneme=body.phoneme,
        output_name=body.output_name,
        metadata=body.metadata,
        callback=body.callback,
        expires_at=None if body.expires_at is None else _milliseconds("expires_at", body.expires_at),
        requested_at=_milliseconds("requested_at", body.requested_at),
    )


def _event_data(value: Any) -> str:
    fields = _object(value) if isinstance(value, str) else value
    if not isinstance(fields, dict):
        raise InvalidRequest([_NO_OBJECT])
    return _CANONICAL.encode(fields).decode()


def _milliseconds(field: str, value: int | str) -> int:
    if isinstance(value, int):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = "is no time; give milliseconds since the epoch or ISO 8601 with a zone, such as 2026-01-31T08:00:00Z"
        raise InvalidRequest([Problem(field, message)])
    try:
        return round(moment.timestamp() * 1000)
    except (OverflowError, ValueError) as error:  # the year 1 with a zone to the east
        raise InvalidRequest([Problem(field, "is out of range; give a time from 1970 to 9999")]) from error


_PLACE = re.compile(r"^(?P<what>.*) - at `\$\.?(?P<path>[^`]*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")


def _located(message: str) -> Problem:
    """A complaint of msgspec's as a problem of the field it is about."""
    place = _PLACE.match(message)
    what, path = (place["what"], place["path"]) if place else (message, "")
    prefix = f"{path}." if path else ""
    if unknown := _UNKNOWN.match(what):
        return Problem(f"{prefix}{unknown['name'][:MAX_NAME]}", "is no field of a request; leave it out or correct it")
    if missing := _MISSING.match(what):
        return Problem(f"{prefix}{missing['name']}", f"is missing; {path or 'a request'} needs it")
    return Problem(path or "body", f"has the wrong type: {what[:1].lower()}{what[1:]}; send what was expected")


def _malformed(error: Exception, length: int) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply; flatten it"
    if isinstance(error, UnicodeDecodeError | UnicodeEncodeError):
        return f"is not UTF-8 ({error.reason} at position {error.start}); encode it as UTF-8"
    if isinstance(error, msgspec.DecodeError):
        what = str(error).removeprefix("JSON is malformed: ")
        if what == "Input data was truncated":
            what = f"it ends within a value, or a surrogate has no pair (bytes read: {length})"
        return f"is not JSON: {what}; send one JSON object"
    return f"holds a number out of range: {str(error)[:MAX_NAME]}; send a smaller one"
