from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from streamer.engines.glm.llm.places import rounded_alike


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
