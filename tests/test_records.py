from __future__ import annotations

import pytest

from streamer.records import FailureCode, Position, SpeechCompleted, SpeechFailed, SpeechRequest
from streamer.wire import schemas

RETRYABLE = {"template_error", "voice_unknown", "not_wanted", "synthesis_failed", "speech_rejected", "store_rejected"}


@pytest.mark.parametrize("code", list(FailureCode))
def test_which_failures_may_succeed_later(code: FailureCode) -> None:
    assert code.retryable == (code.value in RETRYABLE)


@pytest.mark.parametrize(
    ("name", "record"),
    [("speech_request", SpeechRequest), ("speech_completed", SpeechCompleted), ("speech_failed", SpeechFailed)],
)
def test_fields_are_those_of_the_schema(
    name: str, record: type[SpeechRequest | SpeechCompleted | SpeechFailed]
) -> None:
    fields = {field["name"] for field in schemas.current(name)["fields"]}
    assert fields == set(record.__struct_fields__)


def test_the_schema_names_every_failure_code() -> None:
    (code,) = [field for field in schemas.current("speech_failed")["fields"] if field["name"] == "code"]
    assert {str(one) for one in FailureCode if str(one) not in code["doc"]} == set()


def test_records_do_not_change() -> None:
    position = Position(topic="t", partition=1, offset=2)
    with pytest.raises(AttributeError):
        position.offset = 3  # type: ignore[misc]


def test_metadata_is_not_shared_between_requests() -> None:
    first, second = SpeechRequest(source="a"), SpeechRequest(source="b")
    first.metadata["key"] = "value"
    assert second.metadata == {}
