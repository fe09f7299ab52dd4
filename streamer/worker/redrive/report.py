"""What became of the failures, counted by code and reason: no more memory than there are kinds."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from streamer.worker.redrive.assessor import Fate


class _Count(msgspec.Struct):
    count: int = 0
    example: str = ""


class Report:
    def __init__(self) -> None:
        self._counts: dict[tuple[str, Fate, str], _Count] = {}

    def add(self, code: str, fate: Fate, why: str, example: str) -> None:
        found = self._counts.setdefault((code, fate, why), _Count())
        found.count += 1
        found.example = found.example or example

    def total(self, fate: Fate) -> int:
        return sum(found.count for (_, of, _), found in self._counts.items() if of is fate)

    def lines(self, *, dry: bool) -> Iterator[str]:
        """One for each code, fate and reason; the most frequent code first, and of each what is sent."""
        codes: dict[str, int] = {}
        for (code, _, _), found in self._counts.items():
            codes[code] = codes.get(code, 0) + found.count
        fates = list(Fate)

        def order(kind: tuple[str, Fate, str]) -> tuple[int, str, int, int]:
            return -codes[kind[0]], kind[0], fates.index(kind[1]), -self._counts[kind].count

        for kind in sorted(self._counts, key=order):
            code, fate, why = kind
            found = self._counts[kind]
            word = "to send" if dry and fate is Fate.SEND else fate.value
            yield f"{code}: {found.count} {word}{f' ({why})' if why else ''}, first {found.example}"
