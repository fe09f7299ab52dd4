"""Repetition-aware sampling as the reference has it: a sort of the whole vocabulary and a loop in Python, each token.

Source: S. Chen et al., "VALL-E 2", 2024; the numbers are those of GLM-TTS.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.engine.plain.draws import Draws

_NUCLEUS, _CANDIDATES = 0.8, 25
_WINDOW, _REPEATS = 10, 0.1


def ras(logits: Tensor, spoken: Sequence[int], end: int, *, early: bool, draws: Draws) -> int:
    """The next id, from logits [vocabulary]. `spoken`: those so far. `early`: the end may not come yet."""
    scores = logits.log_softmax(0)
    if early:
        scores[end] = -torch.inf
    chosen = _nucleus(scores, draws)
    repeats = (torch.tensor(spoken[-_WINDOW:], device=chosen.device) == chosen).sum().item()
    if repeats >= _WINDOW * _REPEATS:
        chosen = draws.choice(scores.softmax(0))
    return int(chosen.item())


def _nucleus(scores: Tensor, draws: Draws) -> Tensor:
    """Drawn among the most likely ids: up to 25, and no more once 0.8 lies before them."""
    probabilities, ids = scores.softmax(0).sort(descending=True, stable=True)
    total = torch.zeros((), device=scores.device)
    likely: list[Tensor] = []
    for place in range(len(ids)):
        if not (total < _NUCLEUS and len(likely) < _CANDIDATES):
            break
        total = total + probabilities[place]
        likely.append(probabilities[place])
    return ids[draws.choice(torch.stack(likely))]
