"""Many segments decoded at once: rows join and leave at every step, the shape stays the same.

A row is computed in shapes that follow from itself: its input in the bucket of its own length, its tokens in steps of
always all rows, of which the empty ones compute for nobody. So what shares the batch changes no bit.

All but keys and values is kept on the host, whence it goes to the device once a step: a few numbers a row.
"""

from __future__ import annotations

from bisect import insort

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamer.engines.glm.llm.choices import Choices
from streamer.engines.glm.llm.job import DecoderJob
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.sampling import WINDOW, Sampling, Situation
from streamer.engines.glm.shapes import bucket
from streamer.errors import EngineError

_TOKEN, _POSITION, _STEP, _MINIMUM, _LIVE, _WINDOW = range(6)
"""Columns of the state. The window comes last, for it has several."""


class Decoder:
    """Of a fixed number of rows, whose memory is taken at the beginning. To be used from one thread."""

    def __init__(self, model: Llama, rows: int, positions: int, sampling: Sampling) -> None:
        """`positions`: of each row, for its input and what it speaks. Errors: EngineError where they are too many."""
        self.rows, self.positions = rows, positions
        self._model, self._sampling = model, sampling
        self._cache = model.cache(rows, positions)
        self._choices = Choices(rows, positions, model.columns.ids, model.config.vocab_size, model.device)
        self._ids = np.array(model.columns.ids)
        self._free = list(range(rows))
        self._spoiled: set[int] = set()
        self._maximum = np.zeros(rows, np.int64)
        self._spoken = np.zeros((rows, positions), np.int64)
        self._state = np.zeros((rows, _WINDOW + WINDOW), np.int64)

    @property
    def free(self) -> int:
        """Rows that are empty."""
        return len(self._free)

    @torch.inference_mode()
    def begin(self, job: DecoderJob) -> int:
        """Compute its input, all but the last id, which is the first that is decoded. Its row.

        Errors: EngineError, before anything is touched, where no row is free or the job cannot be.
        """
        self._check(job)
        row = self._free[0]
        if known := len(job.ids) - 1:
            ids = torch.zeros(min(bucket(known), self._cache.positions), dtype=torch.int64)
            ids[:known] = torch.tensor(job.ids[:-1])
            self._model.prefill(ids.to(self._model.device), self._cache, row)
        self._choices.enter(row, job.draws, job.maximum)
        del self._free[0]
        self._maximum[row] = job.maximum
        self._state[row, :_WINDOW] = job.ids[-1], known, 0, job.minimum, True
        self._state[row, _WINDOW:] = -1
        return row

    @torch.inference_mode()
    def step(self) -> dict[int, list[int]]:
        """One token for every row. The speech tokens, counted from 0, of the rows that ended, which are free again.

        Errors: EngineError where the model's numbers are no numbers. After any error the rows are as they were.
        """
        silent = np.flatnonzero((self._state[:, _LIVE] == 1) & (self._maximum == 0))
        ended = {int(row): self._leave(int(row)) for row in silent}
        if self.free < self.rows:
            ended |= self._advance(self._draw())
        return ended

    def drop(self, row: int) -> None:
        """Nobody waits for it any more. Errors: EngineError where it is empty."""
        if not self._state[row, _LIVE]:
            raise EngineError(f"row {row} of the decoder is empty")
        self._leave(row)

    def _check(self, job: DecoderJob) -> None:
        vocabulary = self._model.config.vocab_size
        if not self._free:
            raise EngineError(f"all {self.rows} rows of the decoder are taken")
        if not job.ids or job.minimum < 0 or job.maximum < 0:
            raise EngineError(
                f"a job of {len(job.ids)} ids for {job.minimum} to {job.maximum} tokens: nothing to be decoded"
            )
        if len(job.ids) + job.maximum > self.positions:
            raise EngineError(
                f"{len(job.ids)} ids and {job.maximum} tokens to speak do not fit a row of {self.positions} positions"
            )
        # Out of the table is memory of others on a GPU, where it ends the process's whole context.
        if min(job.ids) < 0 or max(job.ids) >= vocabulary:
            raise EngineError(f"ids lie between {min(job.ids)} and {max(job.ids)}; the LLM knows {vocabulary}")

    def _draw(self) -> NDArray[np.int64]:
        """A pass over all rows and a column for each, [R]."""
        state = torch.tensor(self._state, device=self._model.device)
        longest = int(self._state[:, _POSITION].max())
        hidden = self._model.decode(state[:, _TOKEN], state[:, _POSITION], longest, self._cache)
        logits = self._model.logits(hidden)
        columns = self._sampling(logits, self._situation(state), self._choices)
        # One transfer for both: what was drawn, and whether it means anything.
        drawn: NDArray[np.int64] = torch.where(logits.amax(1).isfinite(), columns, -1).cpu().numpy()
        if spoiled := [int(row) for row in np.flatnonzero((drawn < 0) & (self._state[:, _LIVE] == 1))]:
            self._spoiled.update(spoiled)
            raise EngineError(f"the LLM's logits of rows {spoiled} are no numbers")
        return drawn

    def _situation(self, state: Tensor) -> Situation:
        step = state[:, _STEP]
        return Situation(
            live=state[:, _LIVE] == 1,
            step=step,
            early=step < state[:, _MINIMUM],
            window=state[:, _WINDOW:],
            end=self._model.columns.end,
        )

    def _advance(self, columns: NDArray[np.int64]) -> dict[int, list[int]]:
        """Put down what was drawn. What those rows spoke that ended."""
        state = self._state
        live = state[:, _LIVE] == 1
        speaks = np.flatnonzero(live & (columns != self._model.columns.end))
        spoken = columns[speaks]
        self._spoken[speaks, state[speaks, _STEP]] = spoken
        state[speaks, _TOKEN] = self._ids[spoken]
        state[speaks, _POSITION] += 1
        state[speaks, _STEP] += 1
        state[speaks, _WINDOW:-1] = state[speaks, _WINDOW + 1 :]
        state[speaks, -1] = spoken
        done = live & ((columns == self._model.columns.end) | (state[:, _STEP] >= self._maximum))
        return {int(row): self._leave(int(row)) for row in np.flatnonzero(done)}

    def _leave(self, row: int) -> list[int]:
        """Empty it: it goes on at position 0, for nobody. What it spoke."""
        spoken: list[int] = (self._spoken[row, : self._state[row, _STEP]] - self._model.columns.audio).tolist()
        self._state[row] = 0
        self._choices.leave(row)
        if row in self._spoiled:
            # What is masked is multiplied by zero, which would make no number a number again.
            self._cache.clear(row)
            self._spoiled.remove(row)
        insort(self._free, row)
        return spoken
