"""Inputs on a GPU: captured stretches against those that torch's kernels compute on a CPU."""

from __future__ import annotations

import pytest
import torch

from streamer.engines.glm.draws import CounterDraws
from streamer.engines.glm.llm.decoder import Decoder
from streamer.engines.glm.llm.job import DecoderJob
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.sampling import ras
from streamer.engines.glm.llm.stretches import STRETCH, Stretches
from streamer.engines.glm.precision import exact
from streamer.engines.glm.transfers import Side
from tests.engines.glm.llm.models import BF16, CPU, FP32, SIZES, seeded, some_ids, spoken

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

_DTYPES = pytest.mark.parametrize("dtype", [FP32, BF16])
_ROWS, _LENGTHS = 3, (1, 32, 33, 200, STRETCH, STRETCH + 1, 2 * STRETCH + 70)


@pytest.fixture
def device() -> torch.device:
    exact()
    return torch.device("cuda:0")


def _filled(model: Llama) -> list[torch.Tensor]:
    """Of each length keys and values of its row, the last one's, of all layers, on the CPU."""
    with torch.inference_mode(), Side(model.device, urgent=True)():
        cache = model.cache(_ROWS, 3 * STRETCH)
        stretches = Stretches(model, cache)
        made = []
        for number, length in enumerate(_LENGTHS):
            ids, row = some_ids(length, number), number % _ROWS
            for begin in range(0, length, STRETCH):
                stretches.fill(torch.tensor(ids[begin : begin + STRETCH]), row, begin)
            layers = [part[row, :, :length] for layer in range(len(model.layers)) for part in cache.layer(layer)]
            made.append(torch.stack(layers).cpu())
    return made


@_DTYPES
def test_captured_stretches_make_what_a_cpu_makes(device: torch.device, dtype: torch.dtype) -> None:
    made, expected = (_filled(seeded(SIZES, dtype, device=where)) for where in (device, CPU))
    tolerance = 1e-4 if dtype == FP32 else 0.1
    for one, other in zip(made, expected, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


@_DTYPES
def test_a_job_speaks_the_same_in_every_company(device: torch.device, dtype: torch.dtype) -> None:
    model = seeded(SIZES, dtype, device=device)
    jobs = [DecoderJob(some_ids(length, length), 20, 40, CounterDraws(length, 0, device)) for length in _LENGTHS]

    def said(jobs: list[DecoderJob]) -> list[list[int] | None]:
        with Side(device, urgent=True)():
            return spoken(Decoder(model, _ROWS, 3 * STRETCH, ras), jobs)

    together = said(jobs)
    assert all(tokens for tokens in together)
    assert said(jobs[::-1])[::-1] == together
    assert [said([job])[0] for job in jobs] == together
