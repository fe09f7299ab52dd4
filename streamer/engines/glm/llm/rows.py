"""What every row of the decoder stands at, on the device: so that a step needs no number of the host's."""

from __future__ import annotations

import torch
from torch import Tensor

from streamer.engines.glm.llm.audio import Columns
from streamer.engines.glm.llm.sampling import WINDOW, Situation
from streamer.engines.glm.transfers import sent

_TOKEN, _POSITION, _STEP, _MINIMUM, _MAXIMUM, _LIVE, _WINDOW = range(7)
"""Columns of the state. The window comes last, for it has several."""
SPOILED = -1
"""What is drawn where the logits are no numbers."""


class Rows:
    """Rows that are live speak; the others compute for nobody."""

    def __init__(self, rows: int, columns: Columns, device: torch.device) -> None:
        self._state = torch.zeros(rows, _WINDOW + WINDOW, dtype=torch.int64, device=device)
        self._ids = torch.tensor(columns.ids, device=device)
        self._end = columns.end

    def enter(self, row: int, token: int, position: int, minimum: int, maximum: int) -> None:
        """From the next step on. `token`: the id at `position`, behind which it speaks."""
        values = [token, position, 0, minimum, maximum, 1, *[-1] * WINDOW]
        self._state[row] = sent(torch.tensor(values, dtype=torch.int64), self._state.device)

    def leave(self, row: int) -> None:
        self._state[row] = 0

    @property
    def tokens(self) -> Tensor:
        """[R] int64: the id of each row's position."""
        return self._state[:, _TOKEN]

    def positions(self) -> Tensor:
        """[R] int64: negative of rows that are not live."""
        return torch.where(self._live, self._state[:, _POSITION], -1)

    def situation(self) -> Situation:
        step = self._state[:, _STEP]
        return Situation(
            live=self._live,
            step=step,
            early=step < self._state[:, _MINIMUM],
            window=self._state[:, _WINDOW:],
            end=self._end,
        )

    def advance(self, drawn: Tensor) -> None:
        """Put down the column that was drawn for each row, [R] int64, or SPOILED. Whoever ended is live no longer."""
        state = self._state
        speaks = self._live & (drawn != SPOILED) & (drawn != self._end)
        said = drawn.clamp(min=0)
        state[:, _TOKEN] = torch.where(speaks, self._ids[said], state[:, _TOKEN])
        state[:, _POSITION] += speaks
        state[:, _STEP] += speaks
        moved = torch.cat((state[:, _WINDOW + 1 :], said[:, None]), 1)
        state[:, _WINDOW:] = torch.where(speaks[:, None], moved, state[:, _WINDOW:])
        state[:, _LIVE] = speaks & (state[:, _STEP] < state[:, _MAXIMUM])

    @property
    def _live(self) -> Tensor:
        return self._state[:, _LIVE] == 1
