"""What every implementation of the kernels of a stretch must do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from streamer.engines.glm.kernels.base import STRETCH_TILE, StepKernels
from streamer.engines.glm.kernels.plain import PlainKernels
from streamer.engines.glm.llm.cache import BLOCK
from tests.engines.glm.kernels.contract import DTYPES
from tests.engines.glm.kernels.numbers import BF16, FP32, Drawn, angles

_PLACES = pytest.mark.parametrize(
    ("length", "place"),
    [
        (STRETCH_TILE, (0, 0, 1)),
        (STRETCH_TILE, (2, 0, 31)),
        (2 * STRETCH_TILE, (1, 0, 64)),
        (3 * STRETCH_TILE, (1, 0, 40)),
        (2 * STRETCH_TILE, (0, BLOCK, 33)),
        (2 * STRETCH_TILE, (1, 2 * BLOCK - 2 * STRETCH_TILE, 2 * STRETCH_TILE)),
    ],
)
_ROWS = 3


class _Stretch(NamedTuple):
    """What is asked of a layer's cache."""

    queries: Tensor
    """[T, H, D]"""
    keys: Tensor
    """[R, K, P, D]"""
    values: Tensor
    place: Tensor
    """[3]"""

    @classmethod
    def draw(
        cls, drawn: Drawn, length: int, place: tuple[int, int, int], *, heads: int, shared: int, head: int
    ) -> _Stretch:
        return cls(
            drawn.normal(length, heads, head) * head**-0.5,
            drawn.normal(_ROWS, shared, 2 * BLOCK, head),
            drawn.normal(_ROWS, shared, 2 * BLOCK, head),
            torch.tensor(place, device=drawn.device),
        )

    def attend(self, kernels: StepKernels) -> Tensor:
        """[T, H, D]."""
        out = torch.full_like(self.queries, 1234.0)
        kernels.stretch_attention(self.queries, self.keys, self.values, self.place, out.flatten(1))
        return out

    def exact(self) -> Tensor:
        """[T, H, D] float64."""
        row, begin, live = self.place.tolist()
        length, heads, head = self.queries.shape
        group = heads // self.keys.shape[1]
        keys, values = (part[row].double().repeat_interleave(group, 0) for part in (self.keys, self.values))
        made = torch.zeros(length, heads, head, dtype=torch.float64, device=self.queries.device)
        for index in range(live):
            end = begin + index + 1
            scores = (keys[:, :end] @ self.queries[index].double()[:, :, None])[..., 0]
            made[index] = (scores.softmax(-1)[:, None] @ values[:, :end])[:, 0]
        return made


class StretchContract:
    sizes: Mapping[str, int] = {"heads": 4, "shared": 2, "head": 16}
    garbage: float = 1e38
    """What may lie behind a stretch's live positions."""

    @pytest.fixture
    def kernels(self) -> StepKernels:
        raise NotImplementedError

    @pytest.fixture
    def device(self) -> torch.device:
        raise NotImplementedError

    @DTYPES
    @_PLACES
    def test_it_is_a_softmax_over_the_keys_up_to_each_position_and_zero_of_padding(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype, length: int, place: tuple[int, int, int]
    ) -> None:
        stretch = _Stretch.draw(Drawn(device, dtype), length, place, **self.sizes)
        seen, tolerance = stretch.attend(kernels), 3e-6 if dtype == FP32 else 2e-2
        torch.testing.assert_close(seen.double(), stretch.exact(), atol=tolerance, rtol=0)
        assert not seen[place[2] :].any()
        torch.testing.assert_close(seen, stretch.attend(PlainKernels()), atol=tolerance, rtol=0)

    def test_nothing_is_live(self, kernels: StepKernels, device: torch.device) -> None:
        """As when a graph is captured."""
        assert not _Stretch.draw(Drawn(device, FP32), STRETCH_TILE, (0, 0, 0), **self.sizes).attend(kernels).any()

    def test_scores_that_differ_much(self, kernels: StepKernels, device: torch.device) -> None:
        stretch = _Stretch.draw(Drawn(device, FP32), STRETCH_TILE, (1, 90, 20), **self.sizes)
        stretch.queries.mul_(3000.0)
        torch.testing.assert_close(stretch.attend(kernels).double(), stretch.exact(), atol=2e-2, rtol=0)

    @DTYPES
    def test_what_is_not_before_a_position_is_exactly_nothing(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype
    ) -> None:
        """Other rows, and what lies behind; of a query, all behind its own position."""
        stretch = _Stretch.draw(Drawn(device, dtype), 2 * STRETCH_TILE, (1, 50, 40), **self.sizes)
        before = stretch.attend(kernels)
        for part, garbage in ((stretch.keys, self.garbage), (stretch.values, -self.garbage)):
            part[[0, 2]] = garbage
            part[1, :, 90:] = garbage
        stretch.queries[40:] = 7.0
        assert torch.equal(stretch.attend(kernels), before)
        stretch.keys[1, :, 60:90], stretch.values[1, :, 60:90] = 7.0, -1e9
        seen = stretch.attend(kernels)
        assert torch.equal(seen[:10], before[:10])
        assert not torch.equal(seen[10], before[10])

    @DTYPES
    def test_it_is_the_same_in_every_row(self, kernels: StepKernels, device: torch.device, dtype: torch.dtype) -> None:
        mine = _Stretch.draw(Drawn(device, dtype, seed=1), STRETCH_TILE, (0, 70, 25), **self.sizes)
        seen = []
        for row in range(_ROWS):
            other = _Stretch.draw(Drawn(device, dtype, seed=2 + row), STRETCH_TILE, (row, 70, 25), **self.sizes)
            other.keys[row], other.values[row] = mine.keys[0], mine.values[0]
            seen.append(other._replace(queries=mine.queries).attend(kernels))
        assert all(torch.equal(one, seen[0]) for one in seen)

    @pytest.mark.parametrize("part", ["queries", "keys", "values"])
    def test_what_is_no_number_is_not_hidden(self, kernels: StepKernels, device: torch.device, part: str) -> None:
        stretch = _Stretch.draw(Drawn(device, FP32), STRETCH_TILE, (0, 9, 20), **self.sizes)
        getattr(stretch, part)[0, 0, ..., 3] = torch.nan  # of one position's head, or of one KV head at every position
        seen = stretch.attend(kernels)
        assert seen[0, 0, 3].isnan()
        assert seen[:20, -1].isfinite().all()

    @DTYPES
    @_PLACES
    def test_queries_and_keys_turn_and_only_live_positions_of_the_row_are_written(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype, length: int, place: tuple[int, int, int]
    ) -> None:
        """The very bits of a step's rotation, one position after the other."""
        heads, shared, head = self.sizes["heads"], self.sizes["shared"], self.sizes["head"]
        drawn, (row, begin, live) = Drawn(device, dtype), place
        projected = drawn.normal(length, (heads + 2 * shared) * head)
        keys, values = (drawn.normal(_ROWS, shared, 2 * BLOCK, head) for _ in range(2))
        expected = keys.clone(), values.clone(), drawn.empty(length, heads, head)
        cosine, sine = angles(device, 2 * BLOCK + 9, head)
        queries = drawn.empty(length, heads, head)
        on_device = torch.tensor(place, device=device)
        kernels.rotate_and_store_stretch(projected, cosine, sine, on_device, keys, values, queries)
        for index in range(live):
            positions, of_rows = torch.full((_ROWS,), -1, device=device), drawn.empty(_ROWS, heads, head)
            positions[row] = begin + index
            one = projected[index].repeat(_ROWS, 1)
            PlainKernels().rotate_and_store(one, cosine, sine, positions, *expected[:2], of_rows)
            expected[2][index] = of_rows[row]
        assert torch.equal(keys, expected[0])
        assert torch.equal(values, expected[1])
        assert torch.equal(queries[:live], expected[2][:live])

    def test_a_rotation_is_the_same_in_every_row(self, kernels: StepKernels, device: torch.device) -> None:
        heads, shared, head = self.sizes["heads"], self.sizes["shared"], self.sizes["head"]
        cosine, sine = angles(device, 2 * BLOCK, head)
        seen = []
        for row in range(_ROWS):
            projected = Drawn(device, BF16).normal(STRETCH_TILE, (heads + 2 * shared) * head)
            keys, values = (Drawn(device, BF16).empty(_ROWS, shared, 2 * BLOCK, head) for _ in range(2))
            queries = Drawn(device, BF16).empty(STRETCH_TILE, heads, head)
            place = torch.tensor((row, 300, STRETCH_TILE), device=device)
            kernels.rotate_and_store_stretch(projected, cosine, sine, place, keys, values, queries)
            seen.append(torch.cat([part.flatten() for part in (queries, keys[row], values[row])]))
        assert torch.equal(seen[0], seen[1])
        assert torch.equal(seen[0], seen[2])
