"""The same bits whatever shares the batch, in float32 and in bfloat16."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.job import FlowJob
from tests.engines.glm.flow.jobs import TOLERANCE, drawn_job, flowed, together
from tests.engines.glm.golden import TINY

BUCKET = 48
ROWS = 3
STEPS = 2

Way = Callable[[Flow, Sequence[FlowJob], int, int, int], list[Tensor]]

lengths = st.tuples(st.integers(1, 24), st.integers(0, 60), st.integers(0, 3))
"""Tokens, frames of the prompt, seed."""


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def flow_of_either(request: pytest.FixtureRequest, flow: Flow) -> Flow:
    return flow if request.param is torch.float32 else Flow.open(TINY, torch.device("cpu"), request.param)


@pytest.fixture
def three_threads() -> Iterator[None]:
    """So many that a batch cannot be cut into equal shares."""
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(threads)


def same(way: Way, flow: Flow, jobs: Sequence[FlowJob], alone: Sequence[Tensor]) -> None:
    mels = way(flow, jobs, ROWS, BUCKET, STEPS)
    assert all(torch.equal(ours, expected) for ours, expected in zip(mels, alone, strict=True))


def test_every_order_and_every_row(flow_of_either: Flow) -> None:
    jobs = [drawn_job(24, 10, 1), drawn_job(3, 2, 2), drawn_job(15, 20, 3)]
    alone = [together(flow_of_either, [job], ROWS, BUCKET, STEPS)[0] for job in jobs]
    for order in permutations(range(3)):
        same(together, flow_of_either, [jobs[place] for place in order], [alone[place] for place in order])
    for first, second in permutations(range(3), 2):
        same(together, flow_of_either, [jobs[first], jobs[second]], [alone[first], alone[second]])


@pytest.mark.usefixtures("three_threads")
def test_every_order_on_three_threads(flow_of_either: Flow) -> None:
    jobs = [drawn_job(24, 10, 1), drawn_job(3, 2, 2), drawn_job(15, 20, 3)]
    alone = [flowed(flow_of_either, [job], ROWS, BUCKET, STEPS)[0] for job in jobs]
    for order in permutations(range(3)):
        same(flowed, flow_of_either, [jobs[place] for place in order], [alone[place] for place in order])


@pytest.mark.parametrize("way", [flowed, together])
@settings(max_examples=20)
@given(mix=st.lists(lengths, min_size=1, max_size=ROWS))
def test_any_mix_of_lengths(flow: Flow, way: Way, mix: list[tuple[int, int, int]]) -> None:
    jobs = [drawn_job(*one) for one in mix]
    same(way, flow, jobs, [way(flow, [job], ROWS, BUCKET, STEPS)[0] for job in jobs])


@settings(max_examples=20)
@given(one=lengths, bucket=st.integers(BUCKET, 70))
def test_padding_changes_a_row_by_rounding_only(flow: Flow, one: tuple[int, int, int], bucket: int) -> None:
    job = drawn_job(*one)
    (padded,) = together(flow, [job], 2, bucket, STEPS)
    (exact,) = flowed(flow, [job], 1, job.frames, STEPS)
    torch.testing.assert_close(padded, exact, rtol=0, atol=TOLERANCE)


def test_the_same_again_after_others(flow: Flow) -> None:
    job = drawn_job(20, 9)
    (before,) = flowed(flow, [job], ROWS, BUCKET, STEPS)
    flowed(flow, [drawn_job(40, 50)], 1, 80, STEPS)
    same(flowed, flow, [job], [before])


def test_a_neighbour_that_is_no_number_harms_no_one(flow: Flow) -> None:
    job, spoiled = drawn_job(20, 9), drawn_job(22, 9)
    spoiled.noise.fill_(torch.nan)
    (alone,) = together(flow, [job], ROWS, BUCKET, STEPS)
    assert torch.equal(together(flow, [spoiled, job], ROWS, BUCKET, STEPS)[1], alone)


def test_bfloat16_is_near(flow: Flow) -> None:
    job = drawn_job(24, 10)
    (exact,) = flowed(flow, [job], 1, BUCKET)
    (rough,) = flowed(Flow.open(TINY, torch.device("cpu"), torch.bfloat16), [job], 1, BUCKET)
    assert rough.dtype == torch.float32
    difference = (rough - exact).abs().max()
    assert 0 < difference < 0.05
