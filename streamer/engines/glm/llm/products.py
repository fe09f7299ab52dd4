"""Products of rows with a matrix: dense, or laid out once as oneDNN reads it.

On a CPU a dense product of a few rows lays out the matrix anew each time: of 16 rows and two threads the packed one was
seen to take 0.6 of its time. Which kernel multiplies follows from the matrix's shape and the number of rows, never from
what stands in the rows.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from streamer.engines.glm.precision import has_bfloat16


def multiplied(inputs: Tensor, weight: Tensor) -> Tensor:
    """[..., in] → [..., out], by [out, in], packed or not."""
    if not weight.is_mkldnn:
        return functional.linear(inputs, weight)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, None, "none", [], "")
    return product


def packed(weight: Tensor, rows: int) -> Tensor:
    """The same matrix, laid out for batches of `rows` where that is of use.

    It stays as it is on a GPU, and where oneDNN rounds a row of such a batch by its place in it (seen with 7, 8, 9 and
    32 rows): dense products of as many rows need not do so.
    """
    if weight.device.type != "cpu" or not torch._C._has_mkldnn:
        return weight
    if weight.dtype == torch.bfloat16 and not has_bfloat16(weight.device):
        return weight
    laid_out: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return laid_out if rounded_alike([laid_out], rows) else weight


def rounded_alike(weights: Iterable[Tensor], rows: int) -> bool:
    """Whether one and the same row, put in every place of a batch of `rows`, is multiplied to the same bits in each.

    On a CPU it need not be: dense, with two threads and 5, 6, 7, 9, 10 or 11 rows in float32 a row was seen to be
    rounded by where it stands. A request would then be other bytes in another slot. `weights`: [out, in], one of each
    shape that there is.
    """
    generator = torch.Generator().manual_seed(0)
    for weight in weights:
        row = torch.randn(weight.shape[1], generator=generator).to(weight.device, weight.dtype)
        products = multiplied(row.repeat(rows, 1), weight)
        if not bool((products == products[0]).all()):
            return False
    return True
