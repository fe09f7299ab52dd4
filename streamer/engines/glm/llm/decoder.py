"""Many segments decoded at once: rows join and leave at every step, the shape stays the same.

A row is computed in shapes that follow from itself: its input in stretches that are cut by its own length, its tokens
in steps of always all rows, of which the empty ones compute for nobody. So what shares the batch changes no bit.

What a step needs lies on the device. On a GPU it is one captured graph, and so is a stretch of an input; the next step
is launched before the host has looked at what the last one drew: the host is a step behind, and the device knows by
itself who has ended.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import torch

from streamer.engines.glm.captured import Captured
from streamer.engines.glm.llm.choices import Choices
from streamer.engines.glm.llm.job import DecoderJob
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.rows import SPOILED, Rows
from streamer.engines.glm.llm.sampling import Sampling
from streamer.engines.glm.llm.step import DecodeStep
from streamer.engines.glm.llm.stretches import STRETCH, Stretches
from streamer.engines.glm.transfers import Arrival, host_room, sent
from streamer.errors import EngineError


class _Occupant:
    """Who is in a row."""

    __slots__ = ("job", "known", "spoken")

    def __init__(self, job: DecoderJob) -> None:
        self.job = job
        self.known = 0
        """Ids of its input that are in the cache."""
        self.spoken: list[int] = []

    @property
    def left(self) -> int:
        """Ids that are to be computed before it speaks: all but the last, which is the first that is decoded."""
        return len(self.job.ids) - 1 - self.known


class _Flight(NamedTuple):
    """A step that was launched."""

    drawn: Arrival
    rows: dict[int, _Occupant]
    """Who spoke in it."""


class Decoder:
    """Of a fixed number of rows, whose memory is taken at the beginning. To be used from one thread."""

    def __init__(self, model: Llama, rows: int, positions: int, sampling: Sampling) -> None:
        """`positions`: of each row, for its input and what it speaks. Errors: EngineError where they are too many."""
        self.rows, self.positions = rows, positions
        self._model, self._sampling = model, sampling
        self._cache = model.cache(rows, positions)
        self._step = DecodeStep(model, self._cache)
        self._choices = Choices(rows, positions, model.columns.ids, model.config.vocab_size, model.device)
        self._state = Rows(rows, model.columns, model.device)
        self._drawn = torch.zeros(rows, dtype=torch.int64, device=model.device)
        on_gpu = model.device.type == "cuda"
        # Steps and stretches run on one stream, one after the other.
        pool = torch.cuda.graph_pool_handle() if on_gpu else None
        self._captured = Captured(self._compute, model.device, pool)
        self._stretches = Stretches(model, self._cache, pool) if on_gpu else None
        """None where inputs are computed just as long as they are."""
        self._behind = 1 if on_gpu else 0
        """Steps that may be under way while the host goes on."""
        self._free = list(range(rows))
        self._filling: deque[int] = deque()
        self._live: dict[int, _Occupant] = {}
        self._occupants: dict[int, _Occupant] = {}
        self._flights: deque[_Flight] = deque()
        # Of the host, taken now: a step that was launched must not fail any more.
        self._rooms = deque(host_room(self._drawn) for _ in range(2))
        self._ended: dict[int, list[int] | None] = {}
        self.at_work: Sequence[int] = ()
        """Rows that the step under way is about, or the one that just raised."""

    @property
    def free(self) -> int:
        """Rows that are empty."""
        return len(self._free)

    @property
    def filling(self) -> int:
        """Rows whose input is not computed yet."""
        return len(self._filling)

    def begin(self, job: DecoderJob) -> int:
        """Take a row for it. Its input is computed by the next steps, stretch by stretch, one after the other.

        Errors: EngineError, before anything is touched, where no row is free or the job cannot be.
        """
        self._check(job)
        row = self._free.pop(0)
        self._occupants[row] = _Occupant(job)
        self._filling.append(row)
        return row

    @torch.inference_mode()
    def step(self) -> dict[int, list[int] | None]:
        """A stretch of one input, and one token for every row that speaks.

        The speech tokens, counted from 0, of the rows that ended, which are free again; None of one whose logits were
        no numbers. After an error the rows are as they were, and `at_work` names those that it may be about.
        """
        self._ended |= self._fill()
        self.at_work = sorted(self._live)
        if self._live:
            self._launch()
        behind = self._behind if self._live else 0
        while len(self._flights) > behind:
            self._ended |= self._land(self._flights.popleft())
        ended, self._ended = self._ended, {}
        return ended

    def drop(self, row: int) -> None:
        """Nobody waits for it any more. Errors: EngineError where it is empty."""
        if row not in self._occupants:
            raise EngineError(f"row {row} of the decoder is empty")
        with torch.inference_mode():
            self._leave(row)
            self._cache.clear(row)  # what it holds may be no number, which nobody has seen yet

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

    def _fill(self) -> dict[int, list[int] | None]:
        """Compute a stretch of the oldest input. Who has nothing to say ended."""
        if not self._filling:
            return {}
        row = self._filling[0]
        occupant = self._occupants[row]
        self.at_work = [row]
        if occupant.left:
            self._stretch(row, occupant)
        if occupant.left:
            return {}
        if occupant.job.maximum == 0:
            return {row: self._leave(row)}
        job = occupant.job
        self._choices.enter(row, job.draws, job.maximum)
        self._state.enter(row, job.ids[-1], len(job.ids) - 1, job.minimum, job.maximum)
        self._live[row] = occupant
        self._filling.popleft()
        return {}

    def _stretch(self, row: int, occupant: _Occupant) -> None:
        known, count = occupant.known, min(occupant.left, STRETCH)
        ids = torch.tensor(occupant.job.ids[known : known + count])
        if self._stretches is None:
            self._model.prefill(sent(ids, self._model.device), self._cache, row, known)
        else:
            self._stretches.fill(ids, row, known)
        occupant.known += count

    def _launch(self) -> None:
        if self._choices.by_generators:
            self._compute()
        else:
            self._captured()
        self._rooms.rotate()
        self._flights.append(_Flight(Arrival(self._drawn, self._rooms[0]), dict(self._live)))

    def _compute(self) -> None:
        """A pass over all rows and a column for each. What rows stand at changes last: an error leaves them as they
        were."""
        state = self._state
        logits = self._step.run(state.tokens, state.positions())
        columns = self._sampling(logits, state.situation(), self._choices)
        drawn = torch.where(logits.amax(1).isfinite(), columns, SPOILED)
        self._drawn.copy_(drawn)
        state.advance(drawn)

    def _land(self, flight: _Flight) -> dict[int, list[int] | None]:
        """Note what was said. What those rows spoke that ended."""
        columns: list[int] = flight.drawn.take().tolist()
        ended: dict[int, list[int] | None] = {}
        for row, occupant in flight.rows.items():
            if self._live.get(row) is not occupant:
                continue  # it ended in the step before this one, or was dropped
            column = columns[row]
            if column == SPOILED:
                self._leave(row)
                # What is masked may be multiplied by zero, which would make no number a number again.
                self._cache.clear(row)
                ended[row] = None
                continue
            if column != self._model.columns.end:
                occupant.spoken.append(column - self._model.columns.audio)
            if column == self._model.columns.end or len(occupant.spoken) >= occupant.job.maximum:
                ended[row] = self._leave(row)
        return ended

    def _leave(self, row: int) -> list[int]:
        """Empty it. What it spoke."""
        occupant = self._occupants.pop(row)
        if self._live.pop(row, None) is None:
            self._filling.remove(row)
        self._state.leave(row)
        self._choices.leave(row)
        insort(self._free, row)
        return occupant.spoken
