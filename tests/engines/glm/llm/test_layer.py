"""The parts of a layer: what they compute, and that they compute each row alike."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from streamer.engines.glm.llm.layer import rms_norm, swiglu
from tests.engines.glm.llm.models import BF16, FP32

_DTYPES = pytest.mark.parametrize("dtype", [FP32, BF16])


def _row(width: int, dtype: torch.dtype) -> Tensor:
    return (3 * torch.randn(1, width, generator=torch.Generator().manual_seed(0))).to(dtype)


@_DTYPES
def test_swiglu_is_silu_of_the_gate_times_the_rest(dtype: torch.dtype) -> None:
    row = _row(400, dtype)
    expected = functional.silu(row[:, :200].double()) * row[:, 200:].double()
    tolerance = 1e-6 if dtype == FP32 else 5e-3
    torch.testing.assert_close(swiglu(row).double(), expected, atol=tolerance, rtol=tolerance)


def test_swiglu_far_from_zero() -> None:
    assert swiglu(torch.tensor([[-1e4, 1e4, 2.0, 3.0]])).tolist() == [[0.0, 3e4]]


@_DTYPES
def test_the_norm(dtype: torch.dtype) -> None:
    row, weight = _row(200, dtype), _row(200, dtype)[0]
    wide = row.double()
    expected = wide / (wide.square().mean() + 1e-5).sqrt() * weight.double()
    tolerance = 1e-6 if dtype == FP32 else 1e-2
    torch.testing.assert_close(rms_norm(row, weight, 1e-5).double(), expected, atol=tolerance, rtol=tolerance)


@_DTYPES
@pytest.mark.parametrize("threads", [1, 3, 5])
def test_every_row_is_rounded_alike_however_threads_share_them(threads: int, dtype: torch.dtype) -> None:
    row, rows, before = _row(12288, dtype), 32, torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        parts = swiglu(row.repeat(rows, 1)), rms_norm(row.repeat(rows, 1), row[0], 1e-5)
    finally:
        torch.set_num_threads(before)
    for part in parts:
        assert torch.equal(part, part[:1].expand(rows, -1))
