from __future__ import annotations

import concurrent.futures

import pytest
from confluent_kafka import KafkaError, KafkaException

from streamer.errors import (
    AbortRequired,
    BrokerError,
    BrokerUnreachable,
    ConfigurationError,
    FatalClient,
    Fenced,
    MetadataTooLarge,
    OutcomeUnknown,
    Retriable,
)
from streamer.kafka.confluent_errors import administered, answered, asked, meaning, passing, reached, translated

E = KafkaError


@pytest.mark.parametrize(
    ("code", "fatal", "retriable", "abort", "expected"),
    [
        (E._FENCED, True, False, False, Fenced),
        (E._FENCED, False, False, True, Fenced),
        (E.PRODUCER_FENCED, False, False, False, Fenced),
        (E.INVALID_PRODUCER_EPOCH, False, False, True, Fenced),
        (E.FENCED_INSTANCE_ID, True, False, False, Fenced),
        (E.OFFSET_METADATA_TOO_LARGE, False, False, True, MetadataTooLarge),
        (E.OFFSET_METADATA_TOO_LARGE, False, False, False, MetadataTooLarge),
        (E.UNKNOWN_MEMBER_ID, False, False, True, AbortRequired),
        (E.ILLEGAL_GENERATION, False, False, True, AbortRequired),
        (E._TIMED_OUT, False, False, True, AbortRequired),
        (E._TIMED_OUT, False, False, False, Retriable),
        (E._TIMED_OUT, False, True, False, Retriable),
        (E.COORDINATOR_NOT_AVAILABLE, False, True, False, Retriable),
        (E.OUT_OF_ORDER_SEQUENCE_NUMBER, True, False, False, FatalClient),
        (E._FATAL, False, False, False, FatalClient),
        (E._TRANSPORT, False, False, False, OutcomeUnknown),
        (E._STATE, False, False, False, OutcomeUnknown),
        (E.UNKNOWN, False, False, False, OutcomeUnknown),
    ],
)
def test_what_an_error_within_a_commit_means(
    code: int, fatal: bool, retriable: bool, abort: bool, expected: type[BrokerError]
) -> None:
    error = KafkaError(code, "as told", fatal=fatal, retriable=retriable, txn_requires_abort=abort)
    found = meaning(error, OutcomeUnknown)
    assert type(found) is expected
    assert error.name() in str(found)
    assert "as told" in str(found)


def test_what_remains_is_for_the_call_to_say() -> None:
    assert type(meaning(KafkaError(E._STATE), FatalClient)) is FatalClient
    with pytest.raises(AbortRequired), translated(AbortRequired):
        raise KafkaException(KafkaError(E._STATE))


@pytest.mark.parametrize("code", [E._TRANSPORT, E._TIMED_OUT, E.UNSTABLE_OFFSET_COMMIT, E.NOT_COORDINATOR])
def test_a_question_that_was_not_answered_may_be_asked_again(code: int) -> None:
    assert passing(KafkaError(code))
    assert type(asked(KafkaError(code))) is Retriable
    assert type(administered(KafkaError(code), "a topic")) is BrokerUnreachable


@pytest.mark.parametrize("code", [E.INVALID_REPLICATION_FACTOR, E._AUTHENTICATION])
def test_a_refusal_is_not_asked_again(code: int) -> None:
    assert not passing(KafkaError(code))
    assert type(asked(KafkaError(code))) is FatalClient
    refused = administered(KafkaError(code, "not you"), "a topic")
    assert isinstance(refused, ConfigurationError)
    assert "a topic" in refused.problems[0]
    assert "not you" in refused.problems[0]


def test_a_fatal_error_never_passes() -> None:
    assert not passing(KafkaError(E._TRANSPORT, "", fatal=True))


def test_no_answer_at_all_is_unreachable() -> None:
    with pytest.raises(BrokerUnreachable, match="a topic"), answered("a topic"):
        raise concurrent.futures.TimeoutError


def test_where_nothing_answered_is_named_with_the_key_that_says_so() -> None:
    with (
        pytest.raises(BrokerUnreachable, match=r"^a:9092 does not answer \(a topic: no .*set kafka\.bootstrap_servers"),
        reached("a:9092"),
        answered("a topic"),
    ):
        raise concurrent.futures.TimeoutError
