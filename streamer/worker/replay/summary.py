"""What came of a run, counted from its results on the topic of replays: those of every process, killed ones too."""

from __future__ import annotations

import msgspec

from streamer.records import Outcome, SpeechReplayed

_TOLD = 20
"""Records that are told one by one."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One record that did not come out the same."""

    outcome: str
    source: str
    id: str
    partition: int
    offset: int
    reasons: list[str]
    code: str | None
    message: str


class Summary(msgspec.Struct, kw_only=True):
    """Counts, and the first records that differ or failed."""

    run: str
    """The run's label."""
    outcomes: dict[str, int]
    """How many records ended as what."""
    reasons: dict[str, dict[str, int]] = {}
    """By outcome: how many of them say so; one record may give several reasons, or its failure's code."""
    lines: list[Line] = []
    untold: int = 0
    """How many more there are of what `lines` tells."""

    @classmethod
    def of(cls, run: str) -> Summary:
        """One that has seen nothing yet."""
        return cls(run=run, outcomes={outcome.value: 0 for outcome in Outcome})

    @property
    def records(self) -> int:
        return sum(self.outcomes.values())

    @property
    def checked(self) -> int:
        """How many were made again, or were tried to be."""
        return self.records - self.outcomes[Outcome.SKIPPED]

    @property
    def clean(self) -> bool:
        """Something was checked, and nothing differs or failed; what was promoted was meant to differ."""
        return self.checked > 0 and not (self.outcomes[Outcome.DIFFERENT] or self.outcomes[Outcome.FAILED])

    def add(self, replayed: SpeechReplayed) -> None:
        outcome = replayed.outcome
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        for reason in [*replayed.reasons, *([replayed.code] if replayed.code else [])]:
            why = self.reasons.setdefault(outcome, {})
            why[reason] = why.get(reason, 0) + 1
        if outcome not in (Outcome.DIFFERENT, Outcome.FAILED):
            return
        if len(self.lines) >= _TOLD:
            self.untold += 1
        else:
            self.lines.append(_line(replayed))


def _line(replayed: SpeechReplayed) -> Line:
    return Line(
        outcome=replayed.outcome,
        source=replayed.source,
        id=replayed.id,
        partition=replayed.position.partition,
        offset=replayed.position.offset,
        reasons=replayed.reasons,
        code=replayed.code,
        message=replayed.message,
    )
