"""What stands on tts.failed, grouped by code."""

from __future__ import annotations

import msgspec

from streamer.records import SpeechFailed


class Group(msgspec.Struct, kw_only=True):
    """All failures of one code. Times: milliseconds since the epoch."""

    code: str
    retryable: bool
    count: int = 0
    first_failed_at: int
    last_failed_at: int
    source: str = ""
    """Of the latest one, as the two below."""
    id: str = ""
    message: str = ""


class Failures:
    """Counts failures; holds one a code, however many there are."""

    def __init__(self, code: str | None = None, since: int = 0) -> None:
        """Only those of `code` (None: all) that failed at or after `since`, milliseconds since the epoch."""
        self._code, self._since = code, since
        self._groups: dict[str, Group] = {}

    @property
    def groups(self) -> list[Group]:
        """The most frequent code first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.code))

    def add(self, failed: SpeechFailed) -> None:
        if failed.failed_at < self._since or self._code not in (None, failed.code):
            return
        at = failed.failed_at
        group = self._groups.get(failed.code)
        if group is None:
            group = Group(code=failed.code, retryable=failed.retryable, first_failed_at=at, last_failed_at=at)
            self._groups[failed.code] = group
        group.count += 1
        group.first_failed_at = min(group.first_failed_at, at)
        if at >= group.last_failed_at:
            group.last_failed_at, group.retryable = at, failed.retryable
            group.source, group.id, group.message = failed.source, failed.id, failed.message
