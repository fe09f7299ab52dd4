"""A decode step in torch's own operations: what a CPU computes, and what other kernels are compared with.

On a GPU it goes over all blocks of the cache, so that nothing is asked of the device. On a CPU asking costs nothing,
and blocks behind every row's position are left out: they would add exact zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from streamer.engines.glm.kernels.base import Scratch, StepKernels
from streamer.engines.glm.llm.cache import BLOCK


class PlainKernels(StepKernels):
    """What lies behind a row's position is multiplied by zero here, so that it must be finite."""

    def rotate_and_store(
        self,
        projected: Tensor,
        cosine: Tensor,
        sine: Tensor,
        positions: Tensor,
        keys: Tensor,
        values: Tensor,
        queries: Tensor,
    ) -> None:
        rows, heads, head = queries.shape
        shared = keys.shape[1]
        parts = projected.view(rows, -1, head)
        at = positions.clamp(min=0)
        cos, sin = cosine[at][:, None], sine[at][:, None]
        left, right = parts[:, :-shared].to(torch.float32).chunk(2, -1)
        turned = torch.cat((left * cos - right * sin, right * cos + left * sin), -1)
        torch.mul(turned[:, :heads], head**-0.5, out=turned[:, :heads])
        queries.copy_(turned[:, :heads])
        _put(keys, positions, turned[:, heads:].to(keys.dtype))
        _put(values, positions, parts[:, -shared:])

    def decode_attention(
        self, queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, scratch: Scratch, out: Tensor
    ) -> None:
        rows, shared, length, head = keys.shape
        blocks = length // BLOCK
        if positions.device.type == "cpu":
            blocks = max(int(positions.max()), 0) // BLOCK + 1
        # Products of one block, whatever the length is, so that all rows are computed in one shape.
        grouped = queries.view(rows * shared, -1, head)
        flat_keys, flat_values = keys.flatten(0, 1), values.flatten(0, 1)
        of_heads = positions.repeat_interleave(shared).view(-1, 1, 1)
        products = grouped.new_empty(blocks, *grouped.shape[:2], BLOCK)
        for block, cut in enumerate(_cuts(blocks)):
            torch.bmm(grouped, flat_keys[:, cut].mT, out=products[block])
        index = torch.arange(blocks * BLOCK, device=positions.device).view(blocks, 1, 1, BLOCK)
        scores = products.to(torch.float32).masked_fill_(index > of_heads, -torch.inf)
        # The maximum is the same in any order; sums are not, so that blocks are added one after the other.
        weights = scores.sub_(scores.amax(0).amax(-1, keepdim=True)).exp_()
        shares = weights.to(queries.dtype)
        sums = weights[0]
        seen = torch.bmm(shares[0], flat_values[:, :BLOCK]).to(torch.float32)
        for block, cut in list(enumerate(_cuts(blocks)))[1:]:
            sums = sums + weights[block]
            seen += torch.bmm(shares[block], flat_values[:, cut])
        seen /= sums.sum(-1, keepdim=True)
        out.view(seen.shape).copy_(seen.masked_fill_(of_heads < 0, 0.0))

    def swiglu(self, gate_up: Tensor, out: Tensor) -> None:
        # Not by torch's own `silu`: on a CPU it rounds numbers differently that lie at the end of a thread's share,
        # and where that is in a batch depends on the row.
        gate, up = gate_up.chunk(2, -1)
        wide = gate.to(torch.float32)
        out.copy_(wide / (1.0 + (-wide).exp()) * up)

    def add_rms_norm(self, residual: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, out: Tensor) -> None:
        if delta is not None:
            residual += delta
        wide = residual.to(torch.float32)
        out.copy_(functional.rms_norm(wide, weight.shape, weight.to(torch.float32), epsilon))


def _cuts(blocks: int) -> list[slice]:
    return [slice(block * BLOCK, block * BLOCK + BLOCK) for block in range(blocks)]


def _put(cache: Tensor, positions: Tensor, new: Tensor) -> None:
    """[R, K, D] to the position of every row that has one."""
    rows, shared, length, head = cache.shape
    flat, new = cache.view(-1, head), new.reshape(-1, head)
    of_heads = positions.repeat_interleave(shared)
    places = torch.arange(rows * shared, device=cache.device) * length + of_heads.clamp(min=0)
    # Chosen by the device: a row without a position gets what it has already.
    flat.index_copy_(0, places, torch.where(of_heads[:, None] < 0, flat[places], new))
