"""Which failures a redrive is asked for."""

from __future__ import annotations

import msgspec

from streamer.records import FailureCode, SpeechFailed

NEVER = {
    FailureCode.ID_CONFLICT: "a result of its record, not of its id, and never redriven; a new id helps",
    FailureCode.DELETED: "deleted, and never redriven",
}
"""Codes that nobody can ask for, and why."""

_RETRYABLE = frozenset(code.value for code in FailureCode if code.retryable)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Each that is given narrows it; all failures where none is."""

    codes: frozenset[str] = frozenset()
    id: str | None = None
    source: str | None = None
    since: int | None = None
    """Failed at or after it; milliseconds since the epoch."""

    def matches(self, failed: SpeechFailed) -> bool:
        return (
            (not self.codes or failed.code in self.codes)
            and self.id in (None, failed.id)
            and self.source in (None, failed.source)
            and (self.since is None or failed.failed_at >= self.since)
        )

    def refuses(self, code: str) -> str | None:
        """Why a failure of this code is left although it matches. What a redrive cannot help has to be named."""
        for never, why in NEVER.items():
            if code == never:
                return why
        if code in _RETRYABLE or self.codes or self.id is not None:
            return None
        return "a redrive alone does not help; name it with --code or --id to send it all the same"
