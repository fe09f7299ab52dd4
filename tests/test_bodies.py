from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.bodies import RequestBody, event_from_json, from_json
from streamer.identity import fingerprint
from streamer.records import Event, FailureCode, Prompt, SpeechRequest
from streamer.validation import InvalidRequest, problems


def test_json_becomes_a_request() -> None:
    body = {
        "source": "shop",
        "id": "1",
        "event": {"type": "order.paid", "data": {"b": 1, "a": "二"}},
        "metadata": {"k": "v"},
        "expires_at": "2026-01-31T08:00:00.5+08:00",
        "requested_at": 5,
    }
    assert from_json(json.dumps(body)) == SpeechRequest(
        source="shop",
        id="1",
        event=Event(type="order.paid", data='{"a":"二","b":1}'),
        metadata={"k": "v"},
        expires_at=1_769_817_600_500,
        requested_at=5,
    )


def test_the_source_may_be_given_beside() -> None:
    assert from_json(b'{"text":"a"}', "webhook").source == "webhook"
    assert from_json(b'{"text":"a","source":"shop"}', "webhook").source == "shop"
    assert from_json(b'{"text":"a","source":""}', "webhook").source == ""


def test_the_order_of_keys_is_no_other_request() -> None:
    one = from_json(b'{"event":{"type":"t","data":{"a":1.10,"b":{"d":1,"c":[2]}}}}', "s")
    other = from_json(b'{"event":{"data":"{\\"b\\": {\\"c\\":[2],\\"d\\":1}, \\"a\\":1.10}","type":"t"}}', "s")
    assert fingerprint(one) == fingerprint(other)
    assert one.event is not None
    assert one.event.data == '{"a":1.10,"b":{"c":[2],"d":1}}'


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ("", "body", "is not JSON: it is empty"),
        (b" \n", "body", "is not JSON: it is empty"),
        (b'\xef\xbb\xbf{"source":"a","text":"b"}', "body", "byte order mark; leave that out"),
        ('\ufeff{"source":"a","text":"b"}', "body", "byte order mark; leave that out"),
        ("[]", "body", "expected `object`"),
        ('{"source"', "body", "is not JSON"),
        ('{"source":"a"} x', "body", "trailing characters (byte"),
        ('{"source":NaN}', "body", "byte 10"),
        (b'{"source":"\xff"}', "body", "UTF-8"),
        ('{"text":"\ud800"}', "body", "UTF-8"),
        ('{"text":"\\ud800"}', "body", "surrogate"),
        ('{"event":{"type":"t","data":' + "[" * 100_000 + "]" * 100_000 + "}}", "body", "nested too deeply"),
        ('{"event":{"type":"t","data":{"a":1e9999999999999999999999}}}', "body", "a number out of range; send"),
        ("{}", "source", "is missing"),
        ('{"source":1}', "source", "got `int`"),
        ('{"source":"a","seed":1.5}', "seed", "got `float`"),
        ('{"source":"a","seed":"1"}', "seed", "got `str`"),
        ('{"source":"a","metadata":{"k":1}}', "metadata[...]", "got `int`"),
        ('{"source":"a","txt":"b"}', "txt", "no field of a request"),
        ('{"source":"a","type":"t","data":{}}', "type", "put type and data into event"),
        ('{"source":"a","event":{"type":"t","data":{},"x":1}}', "event.x", "no field of a request"),
        ('{"source":"a","event":{"type":"t"}}', "event.data", "is missing"),
        ('{"source":"a","event":{"type":"t","data":[]}}', "event.data", "JSON object"),
        ('{"source":"a","event":{"type":"t","data":"x"}}', "event.data", "JSON object"),
        ('{"source":"a","prompt":{"prompt_text":"t"}}', "prompt.prompt_audio", "is missing"),
        ('{"source":"a","expires_at":"tomorrow"}', "expires_at", "ISO 8601"),
        ('{"source":"a","expires_at":"2026-01-31T08:00:00"}', "expires_at", "with a zone"),
        ('{"source":"a","expires_at":1.5}', "expires_at", "got `float`"),
    ],
)
def test_json_that_is_no_request_names_the_place(body: bytes | str, field: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        from_json(body)
    assert raised.value.code == FailureCode.INVALID_REQUEST
    [problem] = raised.value.problems
    assert problem.field == field
    assert message in problem.message


def test_the_names_of_glm_tts_stand_for_ours() -> None:
    body = {"input_text": "hello", "prompt_audio": "file:///a.wav", "prompt_text": "there", "output_name": "a.wav"}
    prompt = Prompt(prompt_audio="file:///a.wav", prompt_text="there")
    assert from_json(json.dumps(body), "s") == SpeechRequest(
        source="s", text="hello", prompt=prompt, output_name="a.wav"
    )


def test_one_thing_under_two_names_is_refused_by_both() -> None:
    body = {
        "text": "a",
        "input_text": "a",
        "prompt": {"prompt_audio": "a", "prompt_text": "b"},
        "prompt_audio": "a",
        "prompt_text": "b",
    }
    with pytest.raises(InvalidRequest) as raised:
        from_json(json.dumps(body), "s")
    assert [problem.field for problem in raised.value.problems] == list(body)


def test_half_a_prompt_is_refused_by_the_rules() -> None:
    request = from_json(b'{"input_text":"a","prompt_text":"b"}', "s")
    assert [problem.field for problem in problems(request)] == ["prompt.prompt_audio"]


def test_an_event_becomes_a_request_of_its_source() -> None:
    body = {
        "type": "order.paid",
        "data": {"b": 1.10, "a": "二"},
        "id": "1",
        "voice": "vip",
        "format": "wav",
        "sample_rate": 8_000,
        "seed": 5,
        "output_name": "a.wav",
        "metadata": {"k": "v"},
        "callback": "https://example.org/done",
        "expires_at": "2026-01-31T08:00:00.5+08:00",
        "requested_at": 5,
    }
    assert event_from_json(json.dumps(body), "shop") == SpeechRequest(
        source="shop",
        id="1",
        event=Event(type="order.paid", data='{"a":"二","b":1.1}'),
        voice="vip",
        format="wav",
        sample_rate=8_000,
        seed=5,
        output_name="a.wav",
        metadata={"k": "v"},
        callback="https://example.org/done",
        expires_at=1_769_817_600_500,
        requested_at=5,
    )


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ("{}", "type", "is missing"),
        ('{"type":"t"}', "data", "is missing"),
        ('{"type":"t","data":[1]}', "data", "JSON object"),
        ('{"type":"t","data":{},"source":"a"}', "source", "no field of a request"),
        ('{"type":"t","data":{},"text":"a"}', "text", "no field of a request"),
    ],
)
def test_json_that_is_no_event_names_the_place(body: str, field: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        event_from_json(body, "shop")
    [problem] = raised.value.problems
    assert problem.field == field
    assert message in problem.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
BODY = st.dictionaries(st.sampled_from([*RequestBody.__struct_fields__, "other"]), JSON, max_size=6)


@given(BODY.map(json.dumps) | st.binary() | st.text())
def test_whatever_is_read_ends_as_a_request_or_a_refusal(body: bytes | str) -> None:
    for read in (from_json, event_from_json):
        try:
            request = read(body, "webhook")
        except InvalidRequest as error:
            assert error.problems
        else:
            problems(request)
