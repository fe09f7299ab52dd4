from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import RequestFailed
from streamer.records import Event, SpeechRequest
from streamer.render.events import Events
from streamer.settings import Audio
from streamer.worker.utterances import Utterances
from tests.worker.builders import RULES, VOICES, rules

PRINT = "00000010" + "0" * 56


@pytest.fixture
def utterances(tmp_path: Path) -> Utterances:
    return Utterances(rules(tmp_path), VOICES, 100, Audio())


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"event": Event(type=kind, data=json.dumps(data))}


def request(**fields: Any) -> SpeechRequest:
    return SpeechRequest(source="shop", id="1", **fields)


def test_a_text_in_its_voice_with_its_seed(utterances: Utterances) -> None:
    plain = utterances.of(request(text="hello"), PRINT)
    assert (plain.utterance.text, plain.utterance.voice.name, plain.utterance.seed) == ("hello", "plain", 16)
    assert plain.template == ""
    assert plain.utterance.source == "shop"
    chosen = utterances.of(request(text="hello", voice="vip", seed=5, phoneme=True), PRINT).utterance
    assert (chosen.voice.name, chosen.seed, chosen.phoneme) == ("vip", 5, True)


def test_an_event_in_the_words_and_the_voice_of_its_rule(utterances: Utterances, tmp_path: Path) -> None:
    paid = utterances.of(request(**event("paid", n=5)), PRINT)
    assert (paid.utterance.text, paid.utterance.voice.name) == ("order 5 is paid", "vip")
    assert paid.template
    assert utterances.of(request(**event("paid", n=5), voice="plain"), PRINT).utterance.voice.name == "plain"
    other = Utterances(rules(tmp_path, RULES.replace("is paid", "was paid")), VOICES, 100, Audio())
    assert other.of(request(**event("paid", n=5)), PRINT).template != paid.template


@pytest.mark.parametrize(
    ("fields", "code", "says"),
    [
        (event("paid"), "template_error", "data.n"),
        (event("unheard"), "template_error", "no rule for 'unheard'"),
        (event("paid", n=-1), "not_wanted", "'paid'"),
        (event("paid", n="9" * 100), "text_too_long", "engine.max_text"),
        (event("empty"), "text_empty", "'empty'"),
        ({"text": "x" * 101}, "text_too_long", "101 characters, at most 100"),
        ({"text": "x", "voice": "Elvis"}, "voice_unknown", "known: plain, vip"),
    ],
)
def test_what_cannot_be_spoken(utterances: Utterances, fields: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(RequestFailed) as raised:
        utterances.of(request(**fields), PRINT)
    assert raised.value.code == code
    assert says in raised.value.message


def test_the_rules_that_come_with_it_are_fit_to_be_used() -> None:
    from streamer.settings import load
    from streamer.voices import Voices

    settings = load(None)
    assert Events.load(settings.events.file, Voices.load(settings.voices.file)).types


def test_a_rate_that_the_default_format_has_not_is_refused_before_anything_is_spoken(tmp_path: Path) -> None:
    opus = Utterances(rules(tmp_path), VOICES, 100, Audio(format="opus"))
    with pytest.raises(RequestFailed, match="sample_rate: is 44100, and format opus") as caught:
        opus.of(request(text="hello", sample_rate=44_100), PRINT)
    assert caught.value.code == "invalid_request"
    assert opus.of(request(text="hello", sample_rate=44_100, format="wav"), PRINT).utterance.text == "hello"


def test_a_rule_is_in_doubt_until_it_made_a_text(utterances: Utterances) -> None:
    paid = Event(type="paid", data="{}")
    assert not utterances.doubtful(Event(type="unheard", data="{}"))
    with pytest.raises(RequestFailed, match=r"data\.n"):
        utterances.of(request(event=paid), PRINT)
    with pytest.raises(RequestFailed, match="does not hold"):
        utterances.of(request(**event("paid", n=-1)), PRINT)
    assert utterances.doubtful(paid)
    utterances.of(request(**event("paid", n=5)), PRINT)
    assert not utterances.doubtful(paid)
