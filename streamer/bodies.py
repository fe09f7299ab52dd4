"""Requests as people write them: JSON, read strictly, with the names that GLM-TTS's own server takes as well."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from streamer.formats import FORMATS, MAX_RATE, MIN_RATE
from streamer.records import Event, Prompt, SpeechRequest
from streamer.validation import (
    MAX_CALLBACK,
    MAX_METADATA,
    MAX_NAME,
    MAX_PROMPT_AUDIO,
    MAX_PROMPT_TEXT,
    MAX_SEED,
    NO_OBJECT,
    UNREADABLE,
    InvalidRequest,
    Problem,
    json_object,
)

SOURCE = "webhook"
"""Of requests that name none to the bridge."""


def _described(description: str, **schema: Any) -> Meta:
    """Documentation only: were the limits msgspec's, a request would be refused at the first that it breaks."""
    return Meta(description=description, extra_json_schema=schema)


Name = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_NAME})]
_Id = Annotated[str, _described("Within its source; made and answered where it is missing.", maxLength=MAX_NAME)]
_Voice = Annotated[str, _described("A preset of configs/voices.toml.", maxLength=MAX_NAME)]
_Format = Annotated[str, _described("Default: the worker's audio.format.", enum=sorted(FORMATS))]
_Rate = Annotated[int, _described("Hz; not every format has every rate.", minimum=MIN_RATE, maximum=MAX_RATE)]
_Seed = Annotated[int, _described("The same seed makes the same audio.", minimum=0, maximum=MAX_SEED)]
_Phoneme = Annotated[bool, _described("Whether the engine turns characters into phonemes first.")]
_OutputName = Annotated[str, _described("What a download is called; no path.", maxLength=MAX_NAME)]
_PromptAudio = Annotated[
    str,
    _described(
        "Three to ten seconds of speech: a path or file:// URI in a folder of the worker's voices.prompt_folders, or "
        "the URI of an audio in the store.",
        maxLength=MAX_PROMPT_AUDIO,
    ),
]
_PromptText = Annotated[str, _described("What is said in prompt_audio.", maxLength=MAX_PROMPT_TEXT)]
_Metadata = Annotated[dict[str, str], _described("Echoed in the result.", maxProperties=MAX_METADATA)]
_Callback = Annotated[str, _described("http(s)://, to be told of the result.", maxLength=MAX_CALLBACK)]
_Time = Annotated[int | str, _described("Milliseconds since the epoch, or ISO 8601 with a zone.")]
_Data = Annotated[
    Any, _described("The event's fields: one JSON object, or the text of one.", type=["object", "string"])
]


class EventBody(msgspec.Struct, forbid_unknown_fields=True):
    """Something happened; what is said of it stands in configs/events.toml."""

    type: Name
    data: _Data


class PromptBody(msgspec.Struct, forbid_unknown_fields=True):
    """A voice to clone, for engines that do."""

    prompt_audio: _PromptAudio
    prompt_text: _PromptText


class _Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every route takes besides what is spoken."""

    id: _Id = ""
    voice: _Voice | None = None
    format: _Format | None = None
    sample_rate: _Rate | None = None
    seed: _Seed | None = None
    output_name: _OutputName | None = None
    metadata: _Metadata = {}
    callback: _Callback | None = None
    expires_at: _Time | None = None
    requested_at: _Time = 0


class RequestBody(_Options, forbid_unknown_fields=True, kw_only=True):
    """Either text or event. input_text stands for text, prompt_audio and prompt_text for prompt."""

    source: Name | None = None
    text: str | None = None
    input_text: str | None = None
    event: EventBody | None = None
    prompt: PromptBody | None = None
    prompt_audio: _PromptAudio | None = None
    prompt_text: _PromptText | None = None
    phoneme: _Phoneme | None = None


class SourceEventBody(_Options, forbid_unknown_fields=True, kw_only=True):
    """An event whose source stands in the path."""

    type: Name
    data: _Data


# Decimals: see validation.json_object.
_REQUESTS = msgspec.json.Decoder(RequestBody, float_hook=Decimal)
_EVENTS = msgspec.json.Decoder(SourceEventBody, float_hook=Decimal)
_CANONICAL = msgspec.json.Encoder(order="sorted", decimal_format="number")


B = TypeVar("B", RequestBody, SourceEventBody)


def from_json(data: bytes | str, source: str | None = None) -> SpeechRequest:
    """One JSON object as a request; `source` stands in where the object names none.

    Only shape and types are judged here, the rules by `validation.checked`. An event's data becomes canonical text
    (keys sorted), so that a sender who repeats a request with another order of keys repeats it.

    Errors: InvalidRequest that names the place in the JSON.
    """
    body = _decoded(_REQUESTS, data)
    source = body.source if body.source is not None else source
    if source is None:
        raise InvalidRequest([Problem("source", "is missing; name the system that asks")])
    if body.input_text is not None or body.prompt_audio is not None or body.prompt_text is not None:
        _rename(body)
    event = None if body.event is None else Event(type=body.event.type, data=_event_data("event.data", body.event))
    given = body.prompt
    prompt = None if given is None else Prompt(prompt_audio=given.prompt_audio, prompt_text=given.prompt_text)
    return _request(body, source, body.text, event, body.phoneme, prompt)


def event_from_json(data: bytes | str, source: str) -> SpeechRequest:
    """One event of `source` as a request. Errors: as `from_json`."""
    body = _decoded(_EVENTS, data)
    return _request(body, source, None, Event(type=body.type, data=_event_data("data", body)))


def _request(
    body: _Options,
    source: str,
    text: str | None,
    event: Event | None,
    phoneme: bool | None = None,
    prompt: Prompt | None = None,
) -> SpeechRequest:
    return SpeechRequest(
        source=source,
        id=body.id,
        text=text,
        event=event,
        voice=body.voice,
        prompt=prompt,
        format=body.format,
        sample_rate=body.sample_rate,
        seed=body.seed,
        phoneme=phoneme,
        output_name=body.output_name,
        metadata=body.metadata,
        callback=body.callback,
        expires_at=None if body.expires_at is None else _milliseconds("expires_at", body.expires_at),
        requested_at=_milliseconds("requested_at", body.requested_at),
    )


def _decoded(decoder: msgspec.json.Decoder[B], data: bytes | str) -> B:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise InvalidRequest([_located(str(error))]) from error
    except UNREADABLE as error:
        raise InvalidRequest([Problem("body", _malformed(error, data))]) from error


def _rename(body: RequestBody) -> None:
    """GLM-TTS's names to ours. Errors: InvalidRequest where one thing stands there under both."""
    found = []
    if body.input_text is not None:
        if body.text is not None:
            found += [Problem("text", "stands beside input_text; give one of them")]
            found += [Problem("input_text", "stands beside text; give one of them")]
        body.text = body.input_text
    given = [name for name in ("prompt_audio", "prompt_text") if getattr(body, name) is not None]
    if given:
        if body.prompt is not None:
            found += [Problem("prompt", f"stands beside {' and '.join(given)}; give one of them")]
            found += [Problem(name, "stands beside prompt; give one of them") for name in given]
        # A half that is missing is empty, which the rules refuse by its name.
        body.prompt = PromptBody(body.prompt_audio or "", body.prompt_text or "")
    if found:
        raise InvalidRequest(found)


def _event_data(field: str, body: EventBody | SourceEventBody) -> str:
    fields = json_object(body.data) if isinstance(body.data, str) else body.data
    if not isinstance(fields, dict):
        raise InvalidRequest([Problem(field, NO_OBJECT.message)])
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
_OF_AN_EVENT = {"type", "data"}
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")


def _located(message: str) -> Problem:
    """A complaint of msgspec's as a problem of the field it is about."""
    place = _PLACE.match(message)
    what, path = (place["what"], place["path"]) if place else (message, "")
    prefix = f"{path}." if path else ""
    if unknown := _UNKNOWN.match(what):
        name = unknown["name"][:MAX_NAME]
        remedy = "put type and data into event" if not path and name in _OF_AN_EVENT else "leave it out or correct it"
        return Problem(f"{prefix}{name}", f"is no field of a request; {remedy}")
    if missing := _MISSING.match(what):
        return Problem(f"{prefix}{missing['name']}", f"is missing; {path or 'a request'} needs it")
    return Problem(path or "body", f"has the wrong type: {what[:1].lower()}{what[1:]}; send what was expected")


def _malformed(error: Exception, data: bytes | str) -> str:
    if data[:3] == b"\xef\xbb\xbf" or data[:1] == "\ufeff":
        return "is not JSON: it begins with a byte order mark; leave that out (UTF-8 without BOM)"
    if not data or data.isspace():
        return "is not JSON: it is empty; send one JSON object"
    if isinstance(error, RecursionError):
        return "is nested too deeply; flatten it"
    if isinstance(error, UnicodeDecodeError | UnicodeEncodeError):
        return f"is not UTF-8 ({error.reason} at position {error.start}); encode it as UTF-8"
    if isinstance(error, msgspec.DecodeError):
        what = str(error).removeprefix("JSON is malformed: ")
        if what == "Input data was truncated":
            what = f"it ends within a value, or a surrogate has no pair (bytes read: {len(data)})"
        return f"is not JSON: {what}; send one JSON object"
    return "holds a number out of range; send a smaller one"
