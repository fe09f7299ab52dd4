"""Events on their way through the pipeline: rendered once nobody decided them, and never again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamer.engines.base import estimated_tokens
from streamer.errors import DeadLetterLimit
from streamer.records import FOLLOWS, ORIGIN
from streamer.store.verdicts import Completed, Verdict
from tests.worker.builders import RULES, encoded, reader, record, rules, tenure
from tests.worker.test_pipeline import Line

MENDED = RULES.replace("is paid", "was paid")


def event(id: str, kind: str = "paid", data: dict[str, Any] | None = None, **fields: Any) -> bytes:
    text = json.dumps({"n": 5} if data is None else data)
    return encoded(id, None, event={"type": kind, "data": text}, **fields)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(events=rules(tmp_path))


def recipe(line: Line, offset: int) -> Completed:
    verdict = line.verdict(offset)
    assert isinstance(verdict, Verdict)
    assert isinstance(verdict.state, Completed)
    return verdict.state


def test_an_event_is_spoken_in_its_rules_words(line: Line) -> None:
    line.receive(event("id-0"), 0)
    line.receive(event("id-1", voice="plain"), 1)
    line.turn()
    assert (line.completed(0).text, line.completed(0).voice) == ("order 5 is paid", "vip")
    assert line.completed(1).voice == "plain"
    assert recipe(line, 0).recipe.template == recipe(line, 1).recipe.template != ""
    assert line.idle()


def test_load_goes_by_the_rendered_text_once_it_is_known(line: Line) -> None:
    line.engine.held.add("order 5 is paid")
    line.receive(event("id-0", data={"n": 5, "more": "x" * 500}), 0)
    assert line.pipeline.load > 500
    line.turn(3)
    assert line.pipeline.load == estimated_tokens("order 5 is paid")
    line.engine.held.clear()
    line.turn()
    assert line.codes() == {0: "ok"}
    assert line.idle()


def test_events_that_end_without_the_engine(line: Line) -> None:
    line.receive(event("id-0", data={}), 0)
    line.receive(event("id-1", data={"n": -1}), 1)
    line.receive(event("id-2", "unheard"), 2)
    line.receive(event("id-3", data={"n": "9" * 200}), 3)
    line.turn()
    assert line.codes() == {0: "template_error", 1: "not_wanted", 2: "template_error", 3: "text_too_long"}
    assert "data.n" in line.failed(0).message
    assert line.failed(1).retryable
    assert line.engine.submitted == []
    assert line.idle()


def test_a_time_to_live_counts_from_the_record_and_the_requests_own_wins(line: Line) -> None:
    now = int(line.clock.now() * 1000)
    read = reader(events=rules_of(line)).read
    born = now - 10_001
    own = read(tenure(), record(event("a", expires_at=now + 1), timestamp=born))
    rule = read(tenure(), record(event("b"), timestamp=born))
    for_ever = read(tenure(), record(event("c", "empty"), timestamp=born))
    unborn = read(tenure(), record(event("d"), timestamp=-1))
    assert [task.claim.expires_at for task in (own, rule, for_ever, unborn)] == [now + 1, born + 10_000, None, None]
    assert line.tenure.ledger is not None
    assert line.tenure.ledger.receive(0)
    line.pipeline.receive(line.tenure, [record(event("id-0"), 0, timestamp=born)])
    line.turn()
    assert line.codes() == {0: "expired"}
    assert "time to live" in line.failed(0).message


def rules_of(line: Line) -> Any:
    return line.pipeline._parts.utterances._events


def test_a_corrected_template_changes_nothing_that_was_decided(line: Line, tmp_path: Path) -> None:
    """Neither for its owner, read again, nor for another record of the same event."""
    line.receive(event("id-0"), 0)
    line.turn()
    deployed = Line(events=rules(tmp_path, MENDED), store=line.store)
    again = tenure()
    deployed.receive(event("id-0"), 0, of=again)
    deployed.receive(event("id-0"), 1)
    deployed.turn()
    assert deployed.codes(again) == {0: "ok"}
    assert deployed.settled(again)[0].message == line.settled()[0].message
    assert deployed.codes() == {1: "duplicate"}
    assert deployed.engine.submitted == []


def test_a_redrive_is_rendered_anew(line: Line) -> None:
    broken = {"n": 5}
    line.receive(event("id-0", "unheard", broken), 0)
    line.turn()
    line.pipeline._parts.utterances._events._rules["unheard"] = rules_of(line)._rules["paid"]
    line.receive(event("id-0", "unheard", broken), 1, ((FOLLOWS, b"1"), (ORIGIN, b"0/0")))
    line.turn()
    assert line.codes() == {0: "template_error", 1: "ok"}
    assert line.completed(1).text == "order 5 is paid"


def test_templates_that_fail_stop_the_worker_and_unwanted_events_do_not(tmp_path: Path) -> None:
    calm = Line(window=10, events=rules(tmp_path))
    for offset in range(30):
        calm.receive(event(f"id-{offset}", data={"n": -1}), offset)
    calm.turn()
    assert set(calm.codes().values()) == {"not_wanted"}
    line = Line(window=10, events=rules(tmp_path))
    for offset in range(8):
        line.receive(event(f"id-{offset}", data={}), offset)
    with pytest.raises(DeadLetterLimit, match=r"data\.n"):
        line.turn()


def test_a_sender_of_wrong_events_stops_nobody(tmp_path: Path) -> None:
    """Neither of types without a rule, nor of a type whose rule has rendered another event."""
    line = Line(window=10, events=rules(tmp_path))
    for offset in range(30):
        line.receive(event(f"id-{offset}", f"unheard.{offset}"), offset)
    line.receive(event("id-30"), 30)
    line.turn()
    for offset in range(31, 60):
        line.receive(event(f"id-{offset}", data={}), offset)
    line.turn()
    codes = line.codes()
    assert codes.pop(30) == "ok"
    assert len(codes) == 59
    assert set(codes.values()) == {"template_error"}
    assert line.idle()
