from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streamer.errors import RequestFailed
from streamer.records import Event, FailureCode, Prompt, SpeechRequest
from streamer.validation import checked, problems

PLAIN = SpeechRequest(
    source="shop", id="1", text="Your order is paid.\n您的订单已支付。\t", requested_at=1_700_000_000_000
)


def changed(**fields: Any) -> SpeechRequest:
    return msgspec.structs.replace(PLAIN, **fields)


@pytest.mark.parametrize(
    "request_",
    [
        PLAIN,
        changed(id=""),
        changed(source="s" * 200, id="i" * 200),
        changed(text=None, event=Event(type="order.paid", data='{"amount": 1.10}')),
        changed(format="wav", sample_rate=8_000, seed=2**63 - 1, phoneme=True, voice="vip", output_name="greeting.wav"),
        changed(format="opus", sample_rate=48_000),
        changed(format="alaw", sample_rate=16_000),
        changed(sample_rate=44_100),  # the default format may take it; the worker knows
        changed(sample_rate=48_000, seed=0, expires_at=0, output_name="..."),
        changed(prompt=Prompt(prompt_audio="file:///a.wav", prompt_text="hello")),
        changed(callback="https://example.org:8443/done?id=1", metadata={"k" * 100: "v" * 1_000}),
        changed(metadata={str(number): "" for number in range(64)}),
    ],
)
def test_what_may_go_to_the_engine(request_: SpeechRequest) -> None:
    assert problems(request_) == []
    checked(request_)


@pytest.mark.parametrize(
    ("fields", "named", "remedy"),
    [
        ({"source": ""}, "source", "name the system"),
        ({"source": "s" * 201}, "source", "at most 200"),
        ({"source": "a\x00b"}, "source", "U+0000 at position 1"),
        ({"id": "i" * 10_000}, "id", "at most 200"),
        ({"id": "a\x9f"}, "id", "U+009F"),
        ({"id": "a\ud800"}, "id", "U+D800"),
        ({"text": None}, "text", "either text or event"),
        ({"text": "a\x1b[2J"}, "text", "only tabs and line ends"),
        ({"text": "a\udfff"}, "text", "U+DFFF"),
        ({"event": Event(type="t", data="{}")}, "text", "either text or event"),
        ({"text": None, "event": Event(type="", data="{}")}, "event.type", "order.paid"),
        ({"text": None, "event": Event(type="t", data="[]")}, "event.data", "JSON object"),
        ({"text": None, "event": Event(type="t", data="{} {}")}, "event.data", "JSON object"),
        ({"text": None, "event": Event(type="t", data='{"a":' * 9_000)}, "event.data", "JSON object"),
        ({"format": "mp9"}, "format", "wav"),
        ({"sample_rate": 7_999}, "sample_rate", "8000 to 48000"),
        ({"sample_rate": 48_001}, "sample_rate", "8000 to 48000"),
        ({"format": "opus", "sample_rate": 44_100}, "sample_rate", "format opus is written at 8000, 12000, 16000, 24"),
        ({"format": "mp3", "sample_rate": 9_000}, "sample_rate", "format mp3 is written at 8000, 11025, 12000, 160"),
        ({"seed": -1}, "seed", "from 0"),
        ({"seed": 2**63}, "seed", "from 0"),
        ({"output_name": ""}, "output_name", "leave it out"),
        ({"output_name": "../etc/passwd"}, "output_name", "plain file name"),
        ({"output_name": ".."}, "output_name", "plain file name"),
        ({"output_name": "a\\b"}, "output_name", "plain file name"),
        ({"output_name": "a\x00"}, "output_name", "U+0000"),
        ({"output_name": "n" * 201}, "output_name", "at most 200"),
        ({"voice": "v" * 201}, "voice", "at most 200"),
        ({"voice": "v", "prompt": Prompt(prompt_audio="a", prompt_text="t")}, "voice", "not both"),
        ({"prompt": Prompt(prompt_audio="a", prompt_text=" ")}, "prompt.prompt_text", "both"),
        ({"prompt": Prompt(prompt_audio="", prompt_text="t")}, "prompt.prompt_audio", "both"),
        ({"prompt": Prompt(prompt_audio="/" * 4_097, prompt_text="t")}, "prompt.prompt_audio", "at most 4096"),
        ({"prompt": Prompt(prompt_audio="a", prompt_text="t" * 1_001)}, "prompt.prompt_text", "at most 1000"),
        ({"metadata": {str(number): "" for number in range(65)}}, "metadata", "at most 64"),
        ({"metadata": {"k" * 101: ""}}, "metadata", "at most 100"),
        ({"metadata": {"k": "v" * 1_001}}, "metadata", "at most 1000"),
        ({"metadata": {"k": "\ud800"}}, "metadata", "valid Unicode"),
        ({"callback": "ftp://example.org"}, "callback", "http"),
        ({"callback": "http://"}, "callback", "http"),
        ({"callback": "http://[::1"}, "callback", "http"),
        ({"callback": "http://example.org:99999/"}, "callback", "http"),
        ({"callback": "http://example.org/ x"}, "callback", "http"),
        ({"callback": "http://example.org/" + "a" * 2_000}, "callback", "at most 2000"),
        ({"expires_at": -1}, "expires_at", "milliseconds"),
        ({"requested_at": 2**62}, "requested_at", "milliseconds"),
    ],
)
def test_one_problem_names_its_field_and_the_remedy(fields: dict[str, Any], named: str, remedy: str) -> None:
    found = problems(changed(**fields))
    assert [problem.field for problem in found] == [named]
    assert remedy in found[0].message


def test_all_problems_at_once() -> None:
    request = changed(source="", text=" ", format="x", sample_rate=1, seed=-1, output_name="/", expires_at=-1)
    fields = ["source", "text", "format", "sample_rate", "seed", "output_name", "expires_at"]
    assert [problem.field for problem in problems(request)] == fields
    with pytest.raises(RequestFailed, match=r"source: .*; text: .*; format: ") as raised:
        checked(request)
    assert raised.value.code == FailureCode.INVALID_REQUEST


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000"])
def test_nothing_to_speak_has_a_code_of_its_own(text: str) -> None:
    with pytest.raises(RequestFailed) as raised:
        checked(changed(text=text))
    assert raised.value.code == FailureCode.TEXT_EMPTY


def test_other_formats_may_be_given() -> None:
    assert problems(changed(format="flac"), {"flac"}) == []
