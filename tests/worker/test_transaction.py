from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import pytest

from streamer.clock import ManualClock
from streamer.errors import (
    AbortRequired,
    FatalClient,
    Fenced,
    MetadataTooLarge,
    OutcomeUnknown,
    Retriable,
)
from streamer.kafka.base import Broker, Commit, Consumer, GroupMetadata, Message, Partition
from streamer.worker.transaction import Ending, Transactor
from tests.worker.builders import PARTITION

MESSAGES = [Message(topic="tts.completed", key=None, value=b"1"), Message(topic="tts.failed", key=None, value=b"2")]
OFFSETS = {PARTITION: Commit(7, "metadata")}
ALL = ["begin", "produce", "produce", "send_offsets", "commit"]
TIMEOUT = 2.0


class Script:
    """Broker, producer and consumer in one: notes the calls, and raises what is planned for them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.calls: list[str] = []
        self.produced: list[Message] = []
        self.offsets: Mapping[Partition, Commit] = {}
        self.planned: dict[str, list[Exception | None]] = {}
        self.member_ids: list[str] = []
        self.group: object = None
        self.takes: dict[str, float] = {}

    def member_id(self) -> str:
        return self.member_ids.pop(0) if self.member_ids else "member"

    def group_metadata(self) -> GroupMetadata:
        return cast(GroupMetadata, "proof")

    def producer(self, transactional_id: str) -> Script:
        self._call(f"producer {transactional_id}")
        return self

    def init(self, timeout: float) -> None:
        self._call("init")

    def begin(self) -> None:
        self._call("begin")

    def produce(self, message: Message) -> None:
        self._call("produce")
        self.produced.append(message)

    def send_offsets(self, offsets: Mapping[Partition, Commit], group: GroupMetadata, timeout: float) -> None:
        self._call("send_offsets")
        self.offsets, self.group = offsets, group

    def commit(self, timeout: float) -> None:
        self._call("commit")

    def abort(self, timeout: float) -> None:
        self._call("abort")

    def close(self) -> None:
        self._call("close")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self.clock.advance(self.takes.get(name, 0))
        if self.planned.get(name) and (error := self.planned[name].pop(0)) is not None:
            raise error


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def transactor(script: Script) -> Transactor:
    made = Transactor(cast(Broker, script), "group-a", cast(Consumer, script), script.clock)
    made.renew(1)
    script.calls.clear()
    return made


def commit(transactor: Transactor, messages: Iterable[Message] = MESSAGES) -> Ending:
    return transactor.commit(messages, OFFSETS, TIMEOUT)


def test_results_and_offsets_go_together(transactor: Transactor, script: Script) -> None:
    assert commit(transactor) is Ending.COMMITTED
    assert script.calls == ALL
    assert (script.produced, script.offsets, script.group) == (MESSAGES, OFFSETS, "proof")


def test_offsets_alone_are_committed_too(transactor: Transactor, script: Script) -> None:
    assert commit(transactor, []) is Ending.COMMITTED
    assert script.calls == ["begin", "send_offsets", "commit"]


@pytest.mark.parametrize("ids", [["", ""], ["", "m"], ["m", ""], ["m", "n"]])
def test_without_proof_of_membership_nothing_begins(transactor: Transactor, script: Script, ids: list[str]) -> None:
    script.member_ids = ids
    assert commit(transactor) is Ending.ABORTED
    assert script.calls == []


@pytest.mark.parametrize("ids", [["", ""], ["", "m"], ["m", ""], ["m", "n"]])
def test_membership_lost_in_the_transaction_aborts_it(transactor: Transactor, script: Script, ids: list[str]) -> None:
    script.member_ids = ["m", "m", *ids]
    assert commit(transactor) is Ending.ABORTED
    assert script.calls == ["begin", "produce", "produce", "abort"]


@pytest.mark.parametrize("call", ["begin", "produce", "send_offsets", "commit"])
def test_a_retriable_call_is_made_again(transactor: Transactor, script: Script, call: str) -> None:
    script.planned[call] = [Retriable("later"), Retriable("later")]
    assert commit(transactor) is Ending.COMMITTED
    assert script.calls.count(call) == ALL.count(call) + 2
    assert script.produced == MESSAGES


@pytest.mark.parametrize("call", ["begin", "produce", "send_offsets"])
def test_before_the_commit_patience_ends_in_an_abort(transactor: Transactor, script: Script, call: str) -> None:
    script.planned[call] = [Retriable("later")] * 1000
    before = script.clock.monotonic()
    assert commit(transactor) is Ending.ABORTED
    assert script.calls[-1] == "abort"
    assert TIMEOUT <= script.clock.monotonic() - before < TIMEOUT + 1


def test_a_commit_without_an_answer_is_unknown(transactor: Transactor, script: Script) -> None:
    script.planned["commit"] = [Retriable("later")] * 1000
    assert commit(transactor) is Ending.UNKNOWN
    assert "abort" not in script.calls


@pytest.mark.parametrize("call", ["begin", "produce", "send_offsets", "commit"])
def test_an_abort_that_succeeds_means_nothing_was_committed(transactor: Transactor, script: Script, call: str) -> None:
    script.planned[call] = [AbortRequired("UNKNOWN_MEMBER_ID")]
    script.planned["abort"] = [Retriable("later")]
    assert commit(transactor) is Ending.ABORTED
    assert script.calls[-2:] == ["abort", "abort"]


def test_too_much_metadata_is_told_apart(transactor: Transactor, script: Script) -> None:
    script.planned["send_offsets"] = [MetadataTooLarge("4097")]
    assert commit(transactor) is Ending.METADATA_REFUSED
    assert script.calls[-1] == "abort"


@pytest.mark.parametrize("call", ["begin", "produce", "send_offsets", "commit"])
def test_an_unknown_outcome_is_not_aborted(transactor: Transactor, script: Script, call: str) -> None:
    script.planned[call] = [OutcomeUnknown("lost")]
    assert commit(transactor) is Ending.UNKNOWN
    assert "abort" not in script.calls


@pytest.mark.parametrize("error", [AbortRequired("x"), OutcomeUnknown("x"), *[Retriable("x")] * 1])
@pytest.mark.parametrize("first", [AbortRequired("x"), MetadataTooLarge("x")])
def test_an_abort_that_fails_leaves_it_unknown(
    transactor: Transactor, script: Script, first: Exception, error: Exception
) -> None:
    script.planned["send_offsets"] = [first]
    script.planned["abort"] = [error] * 1000
    assert commit(transactor) is Ending.UNKNOWN


@pytest.mark.parametrize("error", [Fenced("taken"), FatalClient("broken")])
@pytest.mark.parametrize("call", ["begin", "produce", "send_offsets", "commit", "abort"])
def test_what_ends_the_process_passes_through(
    transactor: Transactor, script: Script, call: str, error: Exception
) -> None:
    script.planned[call] = [error]
    if call == "abort":
        script.planned["send_offsets"] = [AbortRequired("x")]
    with pytest.raises(type(error)):
        commit(transactor)


def test_a_commit_that_needed_more_than_its_time_still_counts(transactor: Transactor, script: Script) -> None:
    script.takes["send_offsets"] = TIMEOUT + 1
    assert commit(transactor) is Ending.COMMITTED


def test_a_renewed_producer_fences_the_one_before(transactor: Transactor, script: Script) -> None:
    transactor.renew(1)
    assert script.calls == ["close", "producer group-a", "init"]


def test_a_renewal_that_failed_can_be_tried_again(transactor: Transactor, script: Script) -> None:
    script.planned["init"] = [Retriable("no coordinator")]
    with pytest.raises(Retriable):
        transactor.renew(1)
    assert script.calls[-1] == "close"
    with pytest.raises(ValueError, match="renew"):
        commit(transactor)
    transactor.renew(1)
    assert commit(transactor) is Ending.COMMITTED


def test_closing_twice_closes_once(transactor: Transactor, script: Script) -> None:
    for close in cast("list[Callable[[], None]]", [transactor.close, transactor.close]):
        close()
    assert script.calls == ["close"]
