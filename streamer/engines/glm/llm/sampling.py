"""Which token comes next, for all rows at once.

Both ways look at the 25 most likely ids first. Among equals the lowest id comes first, as in a stable sort, on every
device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from streamer.engines.glm.kernels.draws import ONE, weigh
from streamer.engines.glm.llm.choices import Choices

CANDIDATES = 25
_NUCLEUS = 0.8
WINDOW = 10
"""Tokens of a row that the next one should not repeat."""


class Situation(NamedTuple):
    """What the choice depends on besides the logits."""

    live: Tensor
    """[R] bool: rows that somebody waits for."""
    step: Tensor
    """[R] int64: tokens that the row has already."""
    early: Tensor
    """[R] bool: it is too early for the end token."""
    window: Tensor
    """[R, WINDOW] int64: the columns of its last tokens, -1 where there is none."""
    end: int
    """The column of the end token."""


Sampling = Callable[[Tensor, Situation, Choices], Tensor]
"""Logits [R, C] float32 → the column that was drawn for each row, [R] int64."""


def ras(logits: Tensor, situation: Situation, choices: Choices) -> Tensor:
    """Repetition-aware: among the likely ones; where that would repeat, among all. Source: S. Chen et al., "VALL-E 2".

    The end token is no choice while it is early.
    """
    logits = logits.clone()
    logits[:, situation.end].masked_fill_(situation.early, -torch.inf)
    probabilities = logits.softmax(1)
    columns, likely = choices.candidates(probabilities, CANDIDATES)
    place = choices.among(nucleus(likely), situation.step, situation.live)
    first = columns.gather(1, place[:, None])
    repeats = (situation.window == first).any(1)
    second = choices.whole(probabilities, situation.step, situation.live & repeats)
    return torch.where(repeats, second, first[:, 0])


def topk(logits: Tensor, situation: Situation, choices: Choices) -> Tensor:
    """In proportion among the most likely ones, of which the end token is none to be drawn while it is early."""
    columns, likely = choices.candidates(logits.softmax(1), CANDIDATES)
    barred = situation.early[:, None] & (columns == situation.end)
    # Once more from the logits: where the end token is all that is likely, the others still differ.
    possible = logits.gather(1, columns).masked_fill_(barred, -torch.inf).softmax(1)
    place = choices.among(possible, situation.step, situation.live, likely)
    return columns.gather(1, place[:, None])[:, 0]


SAMPLINGS: Mapping[str, Sampling] = MappingProxyType({"ras": ras, "topk": topk})
"""By the names of the settings."""


def nucleus(likely: Tensor) -> Tensor:
    """Candidates' probabilities, best first, with zeros for those behind which 0.8 lies already."""
    weights = weigh(likely)
    before = weights.cumsum(1) - weights
    return likely.masked_fill(before >= int(_NUCLEUS * ONE), 0.0)
