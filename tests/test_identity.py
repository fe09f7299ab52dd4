from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.identity import Identity, derived_id, fingerprint, raw_fingerprint
from streamer.records import Event, Prompt, SpeechRequest

TOPIC = uuid.UUID("12345678-1234-5678-1234-567812345678")
REQUEST = SpeechRequest(source="shop", id="1", text="Hello")


def test_the_key_is_source_and_id() -> None:
    assert Identity("shop", "订单/1").key == "shop/订单/1".encode()


def test_the_folder_is_a_hash_and_never_changes() -> None:
    assert Identity("shop", "1").folder == "9e2e753766a406c343666381f35a7bfd8577f6c9da5a5611eaa5216b01c04b8f"


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_folders_are_as_different_as_identities(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (Identity(*one).folder == Identity(*other).folder) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [(("a", "bc"), ("ab", "c")), (("", "1:a"), ("1", ":a")), (("a/b", "c"), ("a", "b/c"))]
)
def test_no_two_identities_share_a_folder(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert Identity(*one).folder != Identity(*other).folder


@given(st.text(alphabet="./\\\0~ a语", max_size=20))
def test_a_folder_is_always_a_plain_name(id: str) -> None:
    folder = Identity("../..", id).folder
    assert len(folder) == 64
    assert folder.isalnum()


def test_a_derived_id_is_the_same_whoever_derives_it() -> None:
    first = derived_id(TOPIC, 3, 41)
    assert first == "b312bb9c-d630-5318-857a-69cbf272f3c8"
    assert uuid.UUID(first).version == 5


def test_derived_ids_differ_by_topic_partition_and_offset() -> None:
    other = uuid.UUID(int=TOPIC.int + 1)
    ids = {derived_id(TOPIC, 1, 23), derived_id(TOPIC, 12, 3), derived_id(TOPIC, 1, 24), derived_id(other, 1, 23)}
    assert len(ids) == 4


# What a changed field of the request does to its fingerprint: True, it is another request.
_FIELDS: dict[str, tuple[Any, bool]] = {
    "source": ("other", False),
    "id": ("2", False),
    "text": ("Hello!", True),
    "event": (Event(type="paid", data="{}"), True),
    "voice": ("vip", True),
    "prompt": (Prompt(prompt_audio="a", prompt_text="b"), True),
    "format": ("wav", True),
    "sample_rate": (8_000, True),
    "seed": (0, True),
    "phoneme": (False, True),
    "output_name": ("name", False),
    "metadata": ({"a": "b"}, False),
    "callback": ("https://example.org", False),
    "expires_at": (1, False),
    "requested_at": (1, False),
}


def test_every_field_is_judged() -> None:
    assert set(_FIELDS) == set(SpeechRequest.__struct_fields__)


@pytest.mark.parametrize("field", _FIELDS)
def test_what_is_asked_for_decides_the_fingerprint_and_nothing_else(field: str) -> None:
    value, decides = _FIELDS[field]
    changed = msgspec.structs.replace(REQUEST, **{field: value})
    assert (fingerprint(changed) != fingerprint(REQUEST)) == decides


def test_fingerprints_are_kept_for_years() -> None:
    full = SpeechRequest(
        source="shop",
        event=Event(type="order.paid", data='{"amount":1.10}'),
        prompt=Prompt(prompt_audio="s3://a", prompt_text="您好"),
        format="wav",
        sample_rate=8_000,
        seed=7,
        phoneme=True,
    )
    assert fingerprint(REQUEST) == "07621280c004eb735f5ff086cf85dc300ade287bb3686d95c60a5c04dbe880a1"
    assert fingerprint(full) == "00f1406c89b576c0aefdfd70c3bdbfb7aa3a504fb04fb3030897981961f6e1b0"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"text": "a", "voice": "b"}, {"text": "b", "voice": "a"}),
        ({"text": "a"}, {"voice": "a"}),
        ({"seed": 1}, {"sample_rate": 1}),
        ({"seed": 1}, {"phoneme": True}),
        ({"text": ""}, {"text": None}),
    ],
)
def test_fields_are_not_taken_for_each_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert fingerprint(SpeechRequest(source="s", **one)) != fingerprint(SpeechRequest(source="s", **other))


def test_raw_fingerprints() -> None:
    assert raw_fingerprint(None) == raw_fingerprint(b"")
    assert raw_fingerprint(b"a") != raw_fingerprint(b"b")
    assert raw_fingerprint(msgspec.json.encode((1, "Hello"))) != fingerprint(REQUEST)
