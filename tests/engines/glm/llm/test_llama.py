"""The Llama against the public reference, through prefill and through decode steps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from streamer.engines.glm.llm.cache import BLOCK
from streamer.engines.glm.llm.step import DecodeStep
from streamer.errors import EngineError
from tests.engines.glm.golden import arrays
from tests.engines.glm.llm.models import BF16, CPU, EVERYTHING, FP32, SIZES, SPEECH, golden, seeded, some_ids

ROW, ROWS = 1, 3


def _golden(key: str) -> Tensor:
    return torch.from_numpy(arrays("llm")[key])


@pytest.fixture(params=["prefill", "stretches", "decode"])
def final(request: pytest.FixtureRequest) -> Tensor:
    """What the last norm makes of the golden input, [121, hidden]: by one pass, in two, or the last 50 step by step."""
    model, ids = golden(EVERYTHING), _golden("input_ids")
    cache = model.cache(ROWS, 256)
    if request.param == "prefill":
        return model.final(model.prefill(ids, cache, ROW))
    made = [model.final(model.prefill(ids[:71], cache, ROW))]
    if request.param == "stretches":
        made.append(model.final(model.prefill(ids[71:], cache, ROW, 71)))
        return torch.cat(made)
    step = DecodeStep(model, cache)
    for position in range(71, len(ids)):
        given, places = torch.zeros(ROWS, dtype=torch.int64), torch.full((ROWS,), -1)
        given[ROW], places[ROW] = ids[position], position
        made.append(step.final(given, places)[ROW : ROW + 1].clone())
    return torch.cat(made)


def test_the_last_norm_is_the_references(final: Tensor) -> None:
    torch.testing.assert_close(final, _golden("final_hidden"), atol=1e-4, rtol=0)


def test_logits_are_the_references(final: Tensor) -> None:
    logits = functional.linear(final, golden(EVERYTHING).output)
    torch.testing.assert_close(logits[-11:], _golden("logits_last11"), atol=1e-4, rtol=0)
    columns = logits[:, _golden("logits_columns")]
    torch.testing.assert_close(columns, _golden("logits_at_columns"), atol=1e-4, rtol=0)
    torch.testing.assert_close(logits.logsumexp(1), _golden("logsumexp"), atol=1e-4, rtol=0)
    assert torch.equal(logits.argmax(1), _golden("argmax"))


def test_the_kept_columns_are_those_of_all_logits(final: Tensor) -> None:
    columns = torch.tensor(golden(SPEECH).columns.ids)
    whole = functional.linear(final, golden(EVERYTHING).output)
    torch.testing.assert_close(functional.linear(final, golden(SPEECH).output), whole[:, columns], atol=1e-4, rtol=0)
    assert torch.equal(golden(SPEECH).output, golden(EVERYTHING).output[columns])


def test_embedding_and_first_layer_are_the_references() -> None:
    model, ids = golden(EVERYTHING), _golden("input_ids")
    embedded = functional.embedding(ids, model.embedding)
    assert torch.equal(embedded, _golden("embedding_output"))
    made = model.layers[0].prefill(embedded, model.angles(len(ids)), model.cache(ROWS, 256), ROW)
    torch.testing.assert_close(made, _golden("layer1_output"), atol=1e-4, rtol=0)


def test_in_bfloat16_it_is_near() -> None:
    """Not a promise about speech: rounding moves these logits by far less than they differ."""
    model, ids = golden(EVERYTHING, BF16), _golden("input_ids")
    logits = model.logits(model.prefill(ids, model.cache(ROWS, 256), ROW))
    assert logits.dtype == FP32
    difference = (logits[-11:] - _golden("logits_last11")).abs()
    assert difference.mean() < 0.2
    assert _golden("logits_last11").std() > 10


@pytest.mark.parametrize("dtype", [FP32, BF16])
def test_padding_behind_changes_no_bit_of_what_is_before(dtype: torch.dtype) -> None:
    model = seeded(SIZES, dtype)
    cache, ids = model.cache(1, 256), torch.tensor(some_ids(128, 0))
    whole = model.prefill(ids, cache, 0)[:70]
    ids[70:] = 5
    assert torch.equal(model.prefill(ids, cache, 0)[:70], whole)


@pytest.mark.parametrize("length", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 40])
def test_a_step_goes_on_where_the_prompt_ends(length: int) -> None:
    model, ids = seeded(SIZES, FP32), torch.tensor(some_ids(length + 1, 1))
    cache = model.cache(1, 3 * BLOCK)
    whole = model.logits(model.prefill(ids, cache, 0)[-1:])
    model.prefill(ids[:-1], cache, 0)
    step = DecodeStep(model, cache).run(ids[-1:], torch.tensor([length]))
    torch.testing.assert_close(step, whole, atol=1e-4, rtol=0)


def test_more_positions_than_the_model_knows() -> None:
    with pytest.raises(EngineError, match="4096 positions a row are more than the 2048"):
        seeded(SIZES, FP32).cache(1, 4096)


def test_what_it_is_on() -> None:
    assert golden().device == CPU
    assert golden().dtype == FP32
