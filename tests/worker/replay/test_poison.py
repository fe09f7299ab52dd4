"""A record that kills the worker of a run."""

from __future__ import annotations

from streamer.engines.base import Failure, Speech, Ticket, Utterance
from streamer.engines.tone import ToneSynthesizer
from streamer.settings import Tone
from tests.worker.replay.rig import FAILED, IDENTICAL, Deployed, spoken


class Killed(BaseException):
    """The process is gone in the middle of a call."""


class Poisoned(ToneSynthesizer):
    """Crashes over a text."""

    def __init__(self) -> None:
        super().__init__(Tone(), lambda seconds: None)
        self._poison: set[Ticket] = set()

    def submit(self, utterance: Utterance) -> Ticket:
        ticket = super().submit(utterance)
        if utterance.text == "the text of b":
            self._poison.add(ticket)
        return ticket

    def step(self) -> list[Speech | Failure]:
        if self._poison:
            raise Killed
        return super().step()


def test_a_record_that_kills_its_worker_fails_and_its_neighbours_do_not() -> None:
    """As with the service: found by the notes of the run's own group."""
    rig = spoken("a", "b")
    run, deaths = rig.run(), 0
    while not rig.finished(run):
        try:
            rig.replaying(run, Deployed(engine=Poisoned)).until(lambda: rig.finished(run))
        except Killed:
            deaths += 1
            assert deaths < 10
            rig.clock.advance(7)
    assert [(one.id, one.outcome, one.code) for one in rig.replayed()] == [
        ("a", IDENTICAL, None),
        ("b", FAILED, "synthesis_failed"),
    ]
    assert deaths >= rig.settings.engine.attempts
    assert len(rig.verdicts("b")) == 1
