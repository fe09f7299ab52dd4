from __future__ import annotations

from typing import Any

import msgspec

from streamer.records import Outcome, Position
from streamer.worker.replay.summary import Summary
from tests.downstream.test_follow import AGAIN


def summary(*replayed: dict[str, Any]) -> Summary:
    made = Summary.of("monday/1")
    for fields in replayed:
        made.add(msgspec.structs.replace(AGAIN, **({"outcome": "identical", "reasons": []} | fields)))
    return made


def test_it_counts_outcomes_and_reasons() -> None:
    made = summary(
        {},
        {},
        {"outcome": "different", "reasons": ["engine", "text"], "message": "why"},
        {"outcome": "different", "reasons": ["engine"]},
        {"outcome": "failed", "code": "voice_unknown"},
        {"outcome": "skipped", "reasons": ["duplicate"]},
    )
    assert made.outcomes == {"identical": 2, "different": 2, "promoted": 0, "failed": 1, "skipped": 1}
    assert made.reasons["different"] == {"engine": 2, "text": 1}
    assert made.reasons["failed"] == {"voice_unknown": 1}
    assert made.reasons["skipped"] == {"duplicate": 1}
    assert (made.records, made.checked) == (6, 5)
    assert [(line.outcome, line.reasons, line.message) for line in made.lines] == [
        ("different", ["engine", "text"], "why"),
        ("different", ["engine"], ""),
        ("failed", [], ""),
    ]


def test_it_tells_where_a_record_stands_and_not_more_than_twenty() -> None:
    position = Position(topic="tts.requests", partition=2, offset=5)
    made = summary(*[{"outcome": "different", "id": str(n), "position": position} for n in range(25)])
    assert [line.id for line in made.lines] == [str(n) for n in range(20)]
    assert (made.lines[0].source, made.lines[0].partition, made.lines[0].offset) == ("shop", 2, 5)
    assert made.untold == 5


def test_clean_is_what_was_checked_and_neither_differs_nor_failed() -> None:
    assert not summary().clean
    assert not summary({"outcome": "skipped"}).clean
    assert summary({}, {"outcome": "skipped"}).clean
    assert summary({"outcome": "promoted"}).clean
    assert not summary({}, {"outcome": "different"}).clean
    assert not summary({}, {"outcome": "failed"}).clean


def test_all_outcomes_are_told_even_those_that_did_not_come() -> None:
    assert list(summary().outcomes) == [outcome.value for outcome in Outcome]
