"""Which token comes next: as the reference chooses, and for all rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from streamer.engines.glm.draws import CounterDraws, Draws, ReferenceDraws
from streamer.engines.glm.kernels.plain_draws import PlainDraws
from streamer.engines.glm.llm.choices import Choices
from streamer.engines.glm.llm.sampling import CANDIDATES, WINDOW, Sampling, Situation, nucleus, ras, topk
from tests.engines.glm.golden import arrays
from tests.engines.glm.llm.models import CPU

_CASES = pytest.mark.parametrize("case", range(6))
_ROWS, _STEPS = 500, 10


def _choices(draws: Sequence[Draws], columns: int) -> Choices:
    choices = Choices(len(draws), _STEPS, range(columns), columns, CPU)
    for row, one in enumerate(draws):
        choices.enter(row, one, _STEPS)
    return choices


def _situation(rows: int, end: int, *, early: bool = False, window: Sequence[int] = (), step: int = 0) -> Situation:
    last = torch.full((rows, WINDOW), -1)
    if window := window[-WINDOW:]:
        last[:, -len(window) :] = torch.tensor(window)
    live = torch.ones(rows, dtype=torch.bool)
    return Situation(live, torch.full((rows,), step), torch.full_like(live, early), last, end)


def _scores(case: int) -> Tensor:
    return torch.from_numpy(arrays("ras")[f"{case}.scores"])


@_CASES
def test_the_nucleus_is_the_references(case: int) -> None:
    columns, likely = PlainDraws().candidates(_scores(case)[None].softmax(1), CANDIDATES)
    kept = nucleus(likely)[0]
    count = int(kept.count_nonzero())
    assert columns[0, :count].tolist() == arrays("ras")[f"{case}.candidates"].tolist()
    torch.testing.assert_close(kept[:count], torch.from_numpy(arrays("ras")[f"{case}.candidate_probs"]))
    assert not kept[count:].any()


@_CASES
@pytest.mark.parametrize("key", ["draw_no_history", "draw_history"])
def test_draws_are_the_references(case: int, key: str) -> None:
    """Sixteen rows, each with a generator of its own."""
    scores, golden = _scores(case), arrays("ras")
    window = golden[f"{case}.history"].tolist() if key == "draw_history" else []
    choices = _choices([ReferenceDraws(seed) for seed in range(16)], len(scores))
    drawn = ras(scores.repeat(16, 1), _situation(16, len(scores) - 1, window=window), choices)
    assert drawn.tolist() == golden[f"{case}.{key}"].tolist()


@pytest.mark.parametrize(
    ("likely", "kept"),
    [
        ([0.9, 0.1], 1),
        ([0.79, 0.2, 0.01], 2),
        ([0.5, 0.25, 0.0625, 0.1875], 3),
        ([0.041] * 24, 20),
        ([0.01] * 25, 25),
    ],
)
def test_how_far_the_nucleus_goes(likely: list[float], kept: int) -> None:
    """To the first with which there are 0.8, that one included."""
    assert int(nucleus(torch.tensor([likely])).count_nonzero()) == kept


def _drawn(sampling: Sampling, probabilities: Sequence[float], **situation: Any) -> Tensor:
    """How often each column was drawn by numbers of the counter: shares [C]."""
    logits = torch.tensor([probabilities]).log().repeat(_ROWS, 1)
    choices = _choices([CounterDraws(row, 0) for row in range(_ROWS)], logits.shape[1])
    drawn = [sampling(logits, _situation(_ROWS, step=step, **situation), choices) for step in range(_STEPS)]
    return torch.cat(drawn).bincount(minlength=logits.shape[1]) / (_ROWS * _STEPS)


def _close(shares: Tensor, expected: Sequence[float]) -> bool:
    """Within five standard deviations of a share."""
    ideal = torch.tensor(expected)
    return bool(((shares - ideal).abs() <= 5 * (ideal * (1 - ideal) / (_ROWS * _STEPS)).sqrt()).all())


_FOUR = [0.5, 0.25, 0.15, 0.1]


def test_ras_draws_in_proportion_within_the_nucleus() -> None:
    assert _close(_drawn(ras, _FOUR, end=3), [5 / 9, 2.5 / 9, 1.5 / 9, 0])


def test_ras_draws_among_all_where_the_first_would_repeat() -> None:
    window = [0, *[-1] * (WINDOW - 1)]
    repeated = 5 / 9
    assert _close(
        _drawn(ras, _FOUR, end=3, window=window),
        [repeated * 0.5, *(share + repeated * whole for share, whole in ((2.5 / 9, 0.25), (1.5 / 9, 0.15), (0, 0.1)))],
    )


def test_ras_forgets_what_is_older_than_its_window() -> None:
    assert _close(_drawn(ras, _FOUR, end=3, window=[0] + [-1] * WINDOW), [5 / 9, 2.5 / 9, 1.5 / 9, 0])


@pytest.mark.parametrize("window", [[], [1]])
def test_the_end_is_never_drawn_by_ras_while_it_is_early(window: list[int]) -> None:
    shares = _drawn(ras, [0.98, 0.01, 0.006, 0.004], end=0, early=True, window=window)
    assert shares[0] == 0
    if not window:
        assert _close(shares, [0, 0.625, 0.375, 0])


def test_the_end_is_one_of_the_candidates_of_topk_even_while_it_is_early() -> None:
    """So that the twenty-sixth never comes in."""
    probabilities = [0.04] * CANDIDATES + [0.03]
    assert _drawn(topk, probabilities, end=CANDIDATES)[-1] == 0
    shares = _drawn(topk, probabilities, end=2, early=True)
    assert shares[2] == shares[-1] == 0
    assert _close(shares[3:-1], [1 / 24] * 22)


def test_topk_draws_in_proportion_and_knows_no_repetition() -> None:
    assert _close(_drawn(topk, _FOUR, end=3, window=[0] * WINDOW), _FOUR)


@pytest.mark.parametrize("sampling", [ras, topk])
@pytest.mark.parametrize("draws", [ReferenceDraws(0), CounterDraws(0, 0)], ids=["reference", "counter"])
def test_where_the_end_is_all_there_is(sampling: Sampling, draws: Draws) -> None:
    """What is left when it is barred is drawn, although in float32 it has no probability beside it."""
    logits = torch.tensor([[200.0, 1.0, 2.0, 0.0]])
    choices = _choices([draws], 4)
    for _ in range(3):
        assert int(sampling(logits, _situation(1, 0, early=True), choices)) in {1, 2, 3}
    assert int(sampling(logits, _situation(1, 0), choices)) == 0


@pytest.mark.parametrize("sampling", [ras, topk])
def test_numbers_that_are_none_lead_to_some_column(sampling: Sampling) -> None:
    """The decoder looks at the logits; here nothing may read out of its bounds."""
    logits = torch.stack([torch.full((40,), value) for value in (torch.nan, torch.inf, -torch.inf, 0.0)])
    choices = _choices([CounterDraws(row, 0) for row in range(4)], 40)
    drawn = sampling(logits, _situation(4, 0), choices)
    assert ((drawn >= 0) & (drawn < 40)).all()


@pytest.mark.parametrize("sampling", [ras, topk])
def test_a_row_does_not_know_its_neighbours(sampling: Sampling) -> None:
    logits = torch.randn(8, 3000, generator=torch.Generator().manual_seed(1)) * 3
    draws = [CounterDraws(row, 0) if row % 3 else ReferenceDraws(row) for row in range(8)]
    together = sampling(logits, _situation(8, 0, window=[1, 2, 3]), _choices(draws, 3000))
    for row in range(8):
        own = CounterDraws(row, 0) if row % 3 else ReferenceDraws(row)
        alone = sampling(logits[row : row + 1], _situation(1, 0, window=[1, 2, 3]), _choices([own], 3000))
        assert alone[0] == together[row]


def test_a_generator_is_not_asked_for_rows_that_nobody_waits_for() -> None:
    logits, asked = torch.zeros(2, 30), ReferenceDraws(0)
    choices = _choices([asked, CounterDraws(0, 0)], 30)
    situation = _situation(2, 0)
    ras(logits, situation._replace(live=torch.tensor([False, True])), choices)
    assert torch.equal(asked.flow_noise(3), ReferenceDraws(0).flow_noise(3))
    choices.leave(0)
    ras(logits, situation, choices)
    assert torch.equal(asked.vocoder(1)[0], _flowed(ReferenceDraws(0)).vocoder(1)[0])


def _flowed(draws: ReferenceDraws) -> ReferenceDraws:
    draws.flow_noise(3)
    return draws
