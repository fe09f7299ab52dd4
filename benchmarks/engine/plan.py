"""How much each way speaks, so that a run ends in time: who has a slow device is told what was left out."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from benchmarks.engine.folder import Size
from benchmarks.engine.load import LENGTHS, Text, evenly, shortest

_ALL = (1, 4, 16, 64, 128)
_ROUNDS = 4
"""Texts for each that is spoken at once, at the least."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    concurrency: tuple[int, ...] = _ALL
    utterances: int = 128
    alone: int = 16
    """Utterances of the way that speaks one at a time."""
    brief: bool = False
    """Below the largest concurrency only as many texts as are spoken at once, the shortest ones."""
    whole_before: bool = True
    """Whether a process speaks a whole text before, uncounted."""
    threads: int = 0
    """Of torch on a CPU; 0: as many as it takes. Matrices of the tiny size lose by a second one."""
    left_out: tuple[str, ...] = ()

    def together(self, texts: Sequence[Text], concurrency: int) -> list[Text]:
        """Those that are spoken at this concurrency."""
        if self.brief and concurrency < max(self.concurrency):
            return shortest(texts, concurrency)
        return list(texts[: max(len(LENGTHS), _ROUNDS * concurrency)])

    def one_by_one(self, texts: Sequence[Text]) -> list[Text]:
        return evenly(texts, self.alone)


def plan(
    size: Size, device: str, concurrency: Sequence[int] = (), utterances: int | None = None, alone: int | None = None
) -> Plan:
    """What is right for this size on this device ("cpu", or else a GPU), with what was asked for in its place."""
    found = Plan(alone=8) if size == "full" else Plan(threads=1, utterances=32)
    if size == "full" and device == "cpu":
        found = Plan(
            concurrency=(1, 4, 16),
            utterances=16,
            alone=2,
            brief=True,
            whole_before=False,
            left_out=(
                "concurrency 64 and 128: more waits there, nothing else is computed",
                "below the largest concurrency only the shortest texts are spoken, as many as at once: their rates are "
                "too low, for the prompt is flowed for less audio",
                "one at a time speaks 2 texts only, of lengths that stand for all",
            ),
        )
    asked = {"concurrency": tuple(concurrency) or None, "utterances": utterances, "alone": alone}
    return msgspec.structs.replace(found, **{key: value for key, value in asked.items() if value is not None})
