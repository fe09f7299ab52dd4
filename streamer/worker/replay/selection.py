"""What a replay is asked for: the options that choose its records."""

from __future__ import annotations

import hashlib
import re
import shlex
from datetime import UTC, datetime

import msgspec

from streamer.identity import Identity
from streamer.worker.replay.run import Mode

Bound = int | datetime
"""An offset, or a time in UTC."""

_LONGEST_SLUG = 80


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The options, as far as they choose records."""

    everything: bool = False
    begin: Bound | None = None
    end: Bound | None = None
    """Exclusive; None: where the log ends."""
    partitions: tuple[int, ...] = ()
    """Ascending; empty: all."""
    identity: Identity | None = None

    @property
    def options(self) -> list[tuple[str, str]]:
        """Name and value of each, in a fixed order; a flag's value is empty."""
        found = [("--all", "")] if self.everything else []
        found += [("--from", written(self.begin))] if self.begin is not None else []
        found += [("--to", written(self.end))] if self.end is not None else []
        found += [("--partition", str(number)) for number in self.partitions]
        if self.identity is not None:
            found += [("--id", self.identity.id), ("--source", self.identity.source)]
        return found

    @property
    def text(self) -> str:
        """As one would type it; `read` is its inverse."""
        return " ".join(f"{name} {shlex.quote(value)}" if name != "--all" else name for name, value in self.options)

    def slug(self, mode: Mode) -> str:
        """A name for a run of it: the same whenever the same is asked."""
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", self.text.replace(":", "")).strip("-")
        if self.identity is not None or len(slug) > _LONGEST_SLUG:
            slug = f"{slug[: _LONGEST_SLUG - 20].strip('-')}-{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"
        return f"{mode}-{slug}"

    def differences(self, other: Selection) -> list[str]:
        """The options that are not the same in both."""
        names = dict.fromkeys(name for name, _ in [*self.options, *other.options])
        return [name for name in names if self._values(name) != other._values(name)]

    def _values(self, wanted: str) -> list[str]:
        return [value for name, value in self.options if name == wanted]


def read(text: str) -> Selection:
    """What `Selection.text` wrote. Errors: ValueError for anything else."""
    words = iter(shlex.split(text))
    values: dict[str, list[str]] = {}
    for name in words:
        values.setdefault(name, []).append("" if name == "--all" else next(words, ""))

    def one(name: str) -> str | None:
        return values[name][0] if name in values else None

    begin, end, id = one("--from"), one("--to"), one("--id")
    return Selection(
        everything="--all" in values,
        begin=None if begin is None else bound(begin),
        end=None if end is None else bound(end),
        partitions=tuple(int(number) for number in values.get("--partition", [])),
        identity=None if id is None else Identity(one("--source") or "", id),
    )


def bound(text: str) -> Bound:
    """An offset, or an ISO 8601 time; one without a zone is local time. Errors: ValueError."""
    if text.isdecimal() and text.isascii():
        return int(text)
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.astimezone()).astimezone(UTC)


def written(value: Bound) -> str:
    """What `bound` reads."""
    return str(value) if isinstance(value, int) else value.isoformat().replace("+00:00", "Z")
