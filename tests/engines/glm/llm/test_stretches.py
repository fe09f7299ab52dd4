"""An input as a GPU computes it, by torch's kernels: stretches of few lengths, whose place lies on the device."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from streamer.engines.glm.draws import CounterDraws, ReferenceDraws
from streamer.engines.glm.llm.audio import columns_of
from streamer.engines.glm.llm.cache import KvCache
from streamer.engines.glm.llm.config import LlamaConfig
from streamer.engines.glm.llm.decoder import Decoder
from streamer.engines.glm.llm.job import DecoderJob
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.sampling import ras
from streamer.engines.glm.llm.step import DecodeStep
from streamer.engines.glm.llm.stretches import STRETCH, Stretches
from tests.engines.glm.golden import arrays
from tests.engines.glm.llm.models import (
    AUDIO_0,
    BEGIN_OF_AUDIO,
    BF16,
    FP32,
    SIZES,
    SMALL,
    golden,
    seeded,
    some_ids,
    spoken,
)

_DTYPES = pytest.mark.parametrize("dtype", [FP32, BF16])
_ROWS, _POSITIONS = 3, 3 * STRETCH
_LENGTHS = pytest.mark.parametrize("length", [1, 31, 32, 33, 130, STRETCH - 1, STRETCH, STRETCH + 1, 2 * STRETCH + 70])
_OTHERS = -3.0
"""What other occupants have left in the cache."""


def _model(dtype: torch.dtype) -> Llama:
    return seeded(SIZES | {"num_hidden_layers": 3}, dtype)


def _used(model: Llama, rows: int = _ROWS, left: float = _OTHERS) -> KvCache:
    cache = model.cache(rows, _POSITIONS)
    for number in range(len(model.layers)):
        for part in cache.layer(number):
            part.fill_(left)
    return cache


def _fill(compute: Callable[[torch.Tensor, int, int], object], ids: list[int], row: int) -> None:
    """Stretch by stretch."""
    with torch.inference_mode():
        for begin in range(0, len(ids), STRETCH):
            compute(torch.tensor(ids[begin : begin + STRETCH]), row, begin)


def _held(model: Llama, cache: KvCache) -> torch.Tensor:
    """[2 * layers, rows, KV heads, positions, head]."""
    return torch.stack([part for number in range(len(model.layers)) for part in cache.layer(number)])


@_DTYPES
@_LENGTHS
def test_keys_and_values_are_those_of_a_prefill_and_all_others_stay(dtype: torch.dtype, length: int) -> None:
    model, ids = _model(dtype), some_ids(length, 1)
    plain, mine = _used(model), _used(model)
    _fill(lambda part, row, begin: model.prefill(part, plain, row, begin), ids, 1)
    _fill(Stretches(model, mine).fill, ids, 1)
    expected, made = _held(model, plain), _held(model, mine)
    tolerance = 2e-5 if dtype == FP32 else 0.1
    torch.testing.assert_close(made[:, 1, :, :length], expected[:, 1, :, :length], atol=tolerance, rtol=tolerance)
    made[:, 1, :, :length] = _OTHERS
    assert (made == _OTHERS).all()


@_DTYPES
def test_the_same_bits_in_every_row_whatever_was_computed_before(dtype: torch.dtype) -> None:
    model, seen = _model(dtype), []
    for row in range(_ROWS):
        cache = _used(model, left=float(row))
        stretches = Stretches(model, cache)
        for other in range(row):
            _fill(stretches.fill, some_ids(200 + other, 7 + row), other)
            _fill(stretches.fill, some_ids(STRETCH + 90, 8 + row), row)
        _fill(stretches.fill, some_ids(STRETCH + 41, 1), row)
        seen.append(_held(model, cache)[:, row, :, : STRETCH + 41])
    assert all(torch.equal(one, seen[0]) for one in seen)


def test_what_a_stretch_is_padded_to_changes_no_bit() -> None:
    """Whatever lies in its rooms from longer ones, be it no number."""
    model, spoiled = _model(FP32), 250
    ids = [id_ for id_ in some_ids(50, 1) if id_ != spoiled]
    clean, used = _used(model), _used(model)
    _fill(Stretches(model, clean).fill, ids, 0)
    stretches = Stretches(model, used)
    model.embedding[spoiled] = torch.nan
    _fill(stretches.fill, [spoiled] * STRETCH, 1)
    _fill(stretches.fill, ids, 0)
    assert _held(model, used)[:, 1].isnan().any()
    assert torch.equal(_held(model, used)[:, 0], _held(model, clean)[:, 0])


@_DTYPES
def test_a_stretch_is_padded_by_its_own_length(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    lengths: list[int] = []
    compute = Stretches._compute

    def record(stretches: Stretches, length: int) -> None:
        lengths.append(length)
        compute(stretches, length)

    monkeypatch.setattr(Stretches, "_compute", record)
    model = _model(dtype)
    stretches = Stretches(model, _used(model))
    for row, length in enumerate((1, 33, 600)):
        _fill(stretches.fill, some_ids(length, row), row)
    assert lengths == [32, 64, STRETCH, STRETCH, 96]


def test_nothing_is_asked_of_the_device() -> None:
    """Or else no graph could be captured. A tensor on this device has no numbers that it could tell."""
    model = Llama(LlamaConfig(**SIZES), columns_of(SMALL), torch.device("meta"), FP32)
    stretches = Stretches(model, model.cache(_ROWS, _POSITIONS))
    _fill(stretches.fill, some_ids(STRETCH + 40, 1), 1)
    with pytest.raises(RuntimeError, match="meta"):
        stretches._given[0].item()


def test_a_step_goes_on_where_the_last_stretch_ends() -> None:
    model, ids = _model(FP32), some_ids(STRETCH + 30, 1)
    cache = _used(model)
    whole = model.logits(model.prefill(torch.tensor(ids), model.cache(1, _POSITIONS), 0)[-1:])
    _fill(Stretches(model, cache).fill, ids[:-1], 2)
    given, places = torch.tensor([0, 0, ids[-1]]), torch.tensor([-1, -1, len(ids) - 1])
    step = DecodeStep(model, cache).run(given, places)[2:]
    torch.testing.assert_close(step, whole, atol=1e-4, rtol=0)


# In the decoder


def as_on_a_gpu(decoder: Decoder) -> Decoder:
    """But for capturing, and for the kernels."""
    decoder._stretches = Stretches(decoder._model, decoder._cache)
    decoder._behind = 1
    return decoder


def test_sequences_are_the_references() -> None:
    jobs, expected = list[DecoderJob](), list[list[int]]()
    for case in "012":
        names = "prompt_text_ids", "text_ids", "prompt_speech_token"
        prompt, text, speech = (arrays("llm_sampled")[f"{case}.{name}"].tolist() for name in names)
        ids = [*prompt, *text, BEGIN_OF_AUDIO, *(AUDIO_0 + token for token in speech)]
        jobs.append(DecoderJob(ids, int(2 * len(text)), int(20 * len(text)), ReferenceDraws(1)))
        expected.append(arrays("llm_sampled")[f"{case}.ras.seed1"].tolist())
    assert spoken(as_on_a_gpu(Decoder(golden(), 2, 1280, ras)), jobs) == expected


@_DTYPES
def test_a_job_speaks_the_same_in_every_company(dtype: torch.dtype) -> None:
    model = _model(dtype)
    lengths = 1, 2, 33, 100, 257, 258, 400
    jobs = [DecoderJob(some_ids(length, length), 4, 9, CounterDraws(length, 0)) for length in lengths]
    alone = [spoken(as_on_a_gpu(Decoder(model, _ROWS, 600, ras)), [job])[0] for job in jobs]
    assert len({tuple(tokens or ()) for tokens in alone}) == len(jobs)
    assert spoken(as_on_a_gpu(Decoder(model, _ROWS, 600, ras)), jobs) == alone
    assert spoken(as_on_a_gpu(Decoder(model, _ROWS, 600, ras)), jobs[::-1]) == alone[::-1]


def test_a_cpu_computes_an_input_as_long_as_it_is() -> None:
    assert Decoder(_model(FP32), 1, 300, ras)._stretches is None
