"""What every implementation of drawing a token must do, to the last bit."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import pytest
import torch
from torch import Tensor

from streamer.engines.glm.kernels.draws import ONE, DrawKernels
from streamer.engines.glm.kernels.plain_draws import PlainDraws

COUNT = 25


class DrawsContract:
    widths: tuple[int, ...] = (10, 64, 200)
    """Columns of a distribution."""

    @pytest.fixture
    def draws(self) -> DrawKernels:
        raise NotImplementedError

    @pytest.fixture
    def device(self) -> torch.device:
        raise NotImplementedError

    def _distributions(self, width: int, device: torch.device) -> Tensor:
        """One of many equals, one of few likely ones, one with zeros."""
        generator = torch.Generator().manual_seed(width)
        probabilities = (4 * torch.randn(3, width, generator=generator)).softmax(1)
        probabilities[0] = (probabilities[0] * width).round() / width
        probabilities[2, ::3] = 0.0
        return probabilities.to(device)

    def test_the_most_likely_columns(self, draws: DrawKernels, device: torch.device) -> None:
        for width in self.widths:
            probabilities = self._distributions(width, device)
            columns, likely = draws.candidates(probabilities, COUNT)
            for row, numbers in enumerate(probabilities.tolist()):
                best = sorted((-number, column) for column, number in enumerate(numbers))[:COUNT]
                assert columns[row].tolist() == [column for _, column in best]
                assert likely[row].tolist() == [-number for number, _ in best]
            expected = PlainDraws().candidates(probabilities, COUNT)
            assert torch.equal(columns, expected[0])
            assert torch.equal(likely, expected[1])

    def test_equals_stand_in_the_order_of_their_columns(self, draws: DrawKernels, device: torch.device) -> None:
        probabilities = torch.zeros(2, 100, device=device)
        probabilities[0, 50:90] = 0.025
        probabilities[1] = 0.01
        columns, likely = draws.candidates(probabilities, COUNT)
        assert columns[0].tolist() == list(range(50, 75))
        assert columns[1].tolist() == list(range(25))
        assert torch.equal(likely[1], probabilities[1, :25])

    def test_a_draw_is_where_the_sum_exceeds_its_share(self, draws: DrawKernels, device: torch.device) -> None:
        """By exact fractions."""
        for width in self.widths:
            weights = self._distributions(width, device)
            for share in (0.0, 0.37, 0.9, 1 - 2**-53):
                uniforms = torch.full((3,), share, dtype=torch.float64, device=device)
                drawn = draws.draw(weights, uniforms, torch.ones(3, dtype=torch.bool, device=device))
                for row, numbers in enumerate(weights.tolist()):
                    whole = [int(Fraction(number) * ONE) for number in numbers]
                    target = int(sum(whole) * share)
                    assert drawn[row] == sum(sums <= target for sums in accumulate(whole))
                every = torch.ones(3, dtype=torch.bool, device=device)
                assert torch.equal(drawn, PlainDraws().draw(weights, uniforms, every))

    def test_rows_that_want_none_change_nothing(self, draws: DrawKernels, device: torch.device) -> None:
        weights = self._distributions(200, device)
        weights[1] = torch.nan
        uniforms = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64, device=device)
        every, some = torch.tensor([[True, True, True], [True, False, True]], device=device)
        all_drawn, drawn = draws.draw(weights, uniforms, every), draws.draw(weights, uniforms, some)
        assert torch.equal(all_drawn[::2], drawn[::2])
        for column in (*all_drawn.tolist(), *drawn.tolist()):
            assert 0 <= column < 200

    def test_nobody_wants_one(self, draws: DrawKernels, device: torch.device) -> None:
        weights = self._distributions(10, device)
        nobody = torch.zeros(3, dtype=torch.bool, device=device)
        drawn = draws.draw(weights, torch.zeros(3, dtype=torch.float64, device=device), nobody)
        assert drawn.shape == (3,)
        assert ((drawn >= 0) & (drawn < 10)).all()

    def test_what_is_no_number_leads_to_some_column(self, draws: DrawKernels, device: torch.device) -> None:
        probabilities = self._distributions(64, device)
        probabilities[0] = torch.nan
        probabilities[1, 5:] = torch.nan
        columns, _ = draws.candidates(probabilities, COUNT)
        assert ((columns >= 0) & (columns < 64)).all()
        assert torch.equal(columns[2], PlainDraws().candidates(probabilities, COUNT)[0][2])
