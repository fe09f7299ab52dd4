"""Drawing in proportion to weights, each row by its own segment's numbers, for all rows at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamer.engines.glm.draws import CHOICES, Chooser, Draws
from streamer.engines.glm.kernels.opening import open_draws
from streamer.engines.glm.transfers import sent

FIRST, SECOND = range(CHOICES)
"""Which draw of a step it is."""
_TRIES = 100


class Choices:
    """Rows come and go; each draws by what its `Draws` gave for its tokens."""

    def __init__(self, rows: int, steps: int, ids: Sequence[int], vocabulary: int, device: torch.device) -> None:
        """`steps`: the most of a row. `ids`: of the columns of a whole distribution, out of `vocabulary` ids."""
        self._kernels = open_draws(device)
        self._uniforms = torch.zeros(rows, steps, CHOICES, dtype=torch.float64, device=device)
        self._rows = torch.arange(rows, device=device)
        self._choosers: dict[int, Chooser] = {}
        self._ids = torch.tensor(ids)
        self._vocabulary = vocabulary

    def enter(self, row: int, draws: Draws, steps: int) -> None:
        given = draws.tokens(steps)
        if isinstance(given, Tensor):
            self._uniforms[row, :steps] = sent(given, self._uniforms.device)
        else:
            self._choosers[row] = given

    def candidates(self, probabilities: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The most likely columns, best first, of [R, C] float32: columns and probabilities, [R, count] or all there
        are. Among equals the lowest column comes first."""
        return self._kernels.candidates(probabilities, count)

    @property
    def by_generators(self) -> bool:
        """Whether some row's draws are made by a generator on the host, which no captured step could ask."""
        return bool(self._choosers)

    def leave(self, row: int) -> None:
        self._choosers.pop(row, None)

    def among(self, weights: Tensor, step: Tensor, wanted: Tensor, proposals: Tensor | None = None) -> Tensor:
        """The first draw of a step: an index for each row, [R] int64, of any meaning only where `wanted`.

        `weights`: [R, K] float32, falling, the first above 0. `step`: [R] int64. `proposals`: the same with weights
        for what must not be drawn, for a generator that is to draw until it is something else.
        """
        places = self._kernels.draw(weights, self._uniforms[self._rows, step, FIRST], wanted)
        for row in self._chosen(wanted):
            places[row] = self._accepted(
                row, weights[row].cpu(), (weights if proposals is None else proposals)[row].cpu()
            )
        return places

    def whole(self, weights: Tensor, step: Tensor, wanted: Tensor) -> Tensor:
        """The second draw, out of all columns, whose order is that of the ids; else as `among`."""
        places = self._kernels.draw(weights, self._uniforms[self._rows, step, SECOND], wanted)
        for row in self._chosen(wanted):
            # What a generator gives to an id depends on where the id stands.
            spread = torch.zeros(self._vocabulary).index_copy_(0, self._ids, weights[row].cpu())
            places[row] = torch.searchsorted(self._ids, self._choosers[row](spread))
        return places

    def _chosen(self, wanted: Tensor) -> list[int]:
        """Rows whose draws a generator makes. Without one, nothing is asked of the device."""
        if not self._choosers:
            return []
        return [row for row, needed in enumerate(wanted.tolist()) if needed and row in self._choosers]

    def _accepted(self, row: int, weights: Tensor, proposals: Tensor) -> int:
        choose = self._choosers[row]
        proposals = proposals[: int(proposals.count_nonzero())]
        for _ in range(_TRIES):
            place = choose(proposals)
            if weights[place] > 0:
                return place
        return choose(weights)
