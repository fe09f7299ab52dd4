from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from streamer.engines.glm.llm import products
from streamer.engines.glm.llm.products import multiplied, packed, rounded_alike


def test_the_default_rows_are_alike_at_the_official_width() -> None:
    weights = [torch.randn(shape) for shape in ((3072, 2048), (2048, 2048), (2048, 6144))]
    for dtype in (torch.float32, torch.bfloat16):
        assert rounded_alike([weight.to(dtype) for weight in weights], 8)


def test_a_product_that_rounds_by_the_place_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = functional.linear

    def by_place(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        products = linear(rows, weight)
        products[3] += torch.finfo(products.dtype).eps * products[3].abs()
        return products

    weights = [torch.randn(8, 4), torch.randn(4, 8)]
    assert rounded_alike(weights, 5)
    monkeypatch.setattr(functional, "linear", by_place)
    assert not rounded_alike(weights, 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 7, 8, 16, 24])
def test_a_packed_matrix_multiplies_alike_in_every_place_and_as_the_dense_one(rows: int, dtype: torch.dtype) -> None:
    weight = torch.randn(96, 64).to(dtype)
    laid_out = packed(weight, rows)
    inputs = torch.randn(rows, 64).to(dtype)
    outputs = multiplied(inputs, laid_out)
    exact = inputs.double() @ weight.double().T
    torch.testing.assert_close(outputs.double(), exact, atol=1e-4 if dtype == torch.float32 else 0.1, rtol=1e-2)
    if laid_out.is_mkldnn:
        assert rounded_alike([laid_out], rows)


def test_what_would_be_rounded_by_its_place_stays_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.randn(96, 64)
    assert packed(weight, 16).is_mkldnn
    monkeypatch.setattr(products, "rounded_alike", lambda weights, rows: False)
    assert packed(weight, 16) is weight
