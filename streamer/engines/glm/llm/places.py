"""Whether a product of so many rows is the same in every row, whichever it is.

On a CPU it need not be: with two threads and 5, 6, 7, 9, 10 or 11 rows in float32 a row was seen to be rounded by where
it stands. A request would then be other bytes in another slot, so that such a number of rows is refused at the start.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def rounded_alike(weights: Iterable[Tensor], rows: int) -> bool:
    """Whether one and the same row, put in every place of a batch of `rows`, is multiplied to the same bits in each.

    `weights`: [out, in], one of each shape that there is.
    """
    generator = torch.Generator().manual_seed(0)
    for weight in weights:
        row = torch.randn(weight.shape[1], generator=generator).to(weight.device, weight.dtype)
        products = nn.functional.linear(row.repeat(rows, 1), weight)
        if not bool((products == products[0]).all()):
            return False
    return True
