"""The one place that says what an error of librdkafka means to streamer."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from streamer.errors import (
    AbortRequired,
    BrokerError,
    BrokerRefuses,
    BrokerUnreachable,
    ConfigurationError,
    FatalClient,
    Fenced,
    MetadataTooLarge,
    Retriable,
)

_FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
    }
)

# Trying again cannot help; going on would abort one transaction after the other.
_REFUSED = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)

# What a consumer or an admin client may simply ask again. Within a transaction only librdkafka's own flags count.
_PASSING = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError._WAIT_COORD,
        KafkaError._WAIT_CACHE,
        KafkaError._ASSIGNMENT_LOST,
        KafkaError._IN_PROGRESS,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_CONTROLLER,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)

# The client learns of the new leader by itself, a moment later.
_LEADERS = frozenset(
    {
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
    }
)


def meaning(error: KafkaError, otherwise: type[BrokerError]) -> BrokerError | BrokerRefuses:
    """An error of a transactional call as one of ours; `otherwise` is what a call makes of all that remains.

    That is OutcomeUnknown for commit and abort, AbortRequired within a transaction, FatalClient elsewhere.
    """
    text = f"{error.name()}: {error.str()}"
    code = error.code()
    if code in _FENCED:
        return Fenced(text)
    if code in _REFUSED:
        return BrokerRefuses(f"{text}; correct the rights or the limits, and start again")
    if code == KafkaError.OFFSET_METADATA_TOO_LARGE:
        return MetadataTooLarge(text)
    if error.txn_requires_abort():
        return AbortRequired(text)
    if error.fatal() or code == KafkaError._FATAL:
        return FatalClient(text)
    if error.retriable() or code == KafkaError._TIMED_OUT:
        return Retriable(text)
    return otherwise(text)


def passing(error: KafkaError) -> bool:
    """Whether a consumer or an admin client gets over it by asking again."""
    return not error.fatal() and (error.retriable() or error.code() in _PASSING)


def leader_moves(error: KafkaError) -> bool:
    """Whether a partition's leader was asked where it no longer, or not yet, is."""
    return error.code() in _LEADERS


def asked(error: KafkaError) -> BrokerError | BrokerRefuses:
    """An error of a consumer's question (committed offsets, watermarks) as one of ours."""
    return Retriable(f"{error.name()}: {error.str()}") if passing(error) else meaning(error, FatalClient)


def administered(error: KafkaError, what: str) -> BrokerError | ConfigurationError:
    """An error of an admin request: the broker did not answer, or refused `what`."""
    text = f"{what}: {error.name()}: {error.str()}"
    return BrokerUnreachable(text) if passing(error) else ConfigurationError([text])


@contextmanager
def translated(otherwise: type[BrokerError]) -> Iterator[None]:
    """Turn what a transactional call raises into our errors."""
    try:
        yield
    except KafkaException as error:
        raise meaning(error.args[0], otherwise) from error


@contextmanager
def reached(servers: str) -> Iterator[None]:
    """Name the address where nothing answered, and what to do. `servers`: kafka.bootstrap_servers."""
    try:
        yield
    except BrokerUnreachable as error:
        raise BrokerUnreachable(
            f"{servers} does not answer ({error}): start it, or set kafka.bootstrap_servers "
            "(environment: STREAMER_KAFKA__BOOTSTRAP_SERVERS) and, where it asks for TLS or SASL, kafka.properties"
        ) from error


@contextmanager
def answered(what: str) -> Iterator[None]:
    """Turn what an admin request raises into our errors."""
    try:
        yield
    except KafkaException as error:
        raise administered(error.args[0], what) from error
    except concurrent.futures.TimeoutError as error:
        raise BrokerUnreachable(f"{what}: no answer in time") from error
