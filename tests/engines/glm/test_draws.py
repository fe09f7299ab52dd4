"""Both sources of what is random in a segment."""

from __future__ import annotations

import pytest
import torch

from streamer.engines.glm.draws import CounterDraws, Draws, ReferenceDraws
from streamer.errors import EngineError
from tests.engines.glm.golden import arrays


@pytest.fixture(params=[ReferenceDraws, lambda seed: CounterDraws(seed, 0)], ids=["reference", "counter"])
def draws(request: pytest.FixtureRequest) -> Draws:
    made: Draws = request.param(7)
    return made


def test_shapes_and_distributions(draws: Draws) -> None:
    noise = draws.flow_noise(201)
    assert noise.shape == (201, 80)
    phase, gauss = draws.vocoder(33)
    assert phase.shape == (9,)
    assert gauss.shape == (480 * 33, 9)
    for numbers in (noise, phase, gauss):
        assert numbers.dtype == torch.float32
        assert numbers.device.type == "cpu"
    assert 0 <= phase.min() <= phase.max() < 1
    for numbers in (noise, gauss):
        assert abs(float(numbers.mean())) < 0.02
        assert abs(float(numbers.std()) - 1) < 0.02


def test_the_reference_makes_the_calls_of_a_global_generator() -> None:
    weights = torch.rand(25)
    state = torch.get_rng_state()
    try:
        torch.manual_seed(1234)
        token = int(torch.multinomial(weights, 1))
        noise, phase = torch.randn(1, 50, 80), torch.rand(1, 9)
        # Like the sines there, whose harmonics lie one after the other in memory.
        gauss = torch.randn_like(torch.empty(1, 9, 480 * 50).transpose(1, 2))
    finally:
        torch.set_rng_state(state)
    draws = ReferenceDraws(1234)
    assert draws.tokens(10)(weights) == token
    assert torch.equal(draws.flow_noise(50), noise[0])
    drawn = draws.vocoder(50)
    assert torch.equal(drawn[0], phase[0])
    assert torch.equal(drawn[1], gauss[0])


def test_the_reference_keeps_its_order() -> None:
    with pytest.raises(EngineError, match="before the flow's"):
        ReferenceDraws(0).vocoder(10)


@pytest.mark.parametrize("case", range(6))
def test_the_reference_draws_the_golden_candidates(case: int) -> None:
    golden = arrays("ras")
    likely = torch.from_numpy(golden[f"{case}.candidate_probs"])
    drawn = [ReferenceDraws(seed).tokens(1)(likely) for seed in range(16)]
    assert golden[f"{case}.candidates"][drawn].tolist() == golden[f"{case}.draw_no_history"].tolist()


def test_the_counter_needs_no_order_and_no_state() -> None:
    draws, again = CounterDraws(5, 2), CounterDraws(5, 2)
    first = draws.vocoder(4), draws.flow_noise(9), draws.tokens(3)
    second = again.tokens(3), again.flow_noise(9), again.vocoder(4)
    assert torch.equal(first[2], second[0])
    assert torch.equal(first[1], second[1])
    assert torch.equal(first[0][0], second[2][0])
    assert torch.equal(first[0][1], second[2][1])


def test_seed_segment_and_purpose_make_other_numbers() -> None:
    noise = CounterDraws(5, 2).flow_noise(10).flatten()
    for other in (CounterDraws(6, 2), CounterDraws(5, 3), CounterDraws(5 + (1 << 32), 2)):
        assert not (other.flow_noise(10).flatten() == noise).any()
    assert not (CounterDraws(5, 2).vocoder(10)[1].flatten()[: len(noise)] == noise).any()


def test_seeds_of_64_bits() -> None:
    assert torch.equal(CounterDraws(-1, 0).tokens(5), CounterDraws((1 << 64) - 1, 0).tokens(5))
    with pytest.raises(EngineError, match="32 bits"):
        CounterDraws(0, 1 << 32)
