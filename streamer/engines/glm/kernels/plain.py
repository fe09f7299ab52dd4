"""A decode step, and a stretch, in torch's own operations: a step as a CPU computes it, and what other kernels are
compared with.

On a GPU a step goes over all blocks of the cache, so that nothing is asked of the device. On a CPU asking costs
nothing, and blocks behind every row's position are left out: they would add exact zeros. A stretch goes over the whole
row everywhere, for a CPU has its own way (llm/attention.py).
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
        shared = keys.shape[1]
        at = positions.clamp(min=0)
        own_keys, own_values = _turned(projected, cosine[at], sine[at], shared, queries)
        slots = torch.arange(len(keys), device=keys.device)
        _put(keys, slots, at, positions >= 0, own_keys)
        _put(values, slots, at, positions >= 0, own_values)

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

    def rotate_and_store_stretch(
        self,
        projected: Tensor,
        cosine: Tensor,
        sine: Tensor,
        place: Tensor,
        keys: Tensor,
        values: Tensor,
        queries: Tensor,
    ) -> None:
        row, begin, count = place
        index = torch.arange(len(queries), device=place.device)
        positions = begin + index
        own_keys, own_values = _turned(projected, cosine[positions], sine[positions], keys.shape[1], queries)
        # Padding has places of its own too, to which it puts what is there.
        _put(keys, row.expand_as(index), positions, index < count, own_keys)
        _put(values, row.expand_as(index), positions, index < count, own_values)

    def stretch_attention(self, queries: Tensor, keys: Tensor, values: Tensor, place: Tensor, out: Tensor) -> None:
        length, _, head = queries.shape
        _, shared, positions, _ = keys.shape
        own_keys, own_values = (part.index_select(0, place[:1])[0] for part in (keys, values))
        _, begin, count = place
        index = torch.arange(length, device=place.device)
        behind = torch.arange(positions, device=place.device) > (begin + index)[:, None]
        # [K, G, T, ...]: of each KV head the query heads that share it.
        grouped = queries.view(length, shared, -1, head).permute(1, 2, 0, 3)
        products = torch.bmm(grouped.reshape(shared, -1, head), own_keys.mT).to(torch.float32)
        scores = products.view(shared, -1, length, positions).masked_fill_(behind, -torch.inf)
        weights = scores.sub_(scores.amax(-1, keepdim=True)).exp_().flatten(1, 2)
        seen = torch.bmm(weights.to(queries.dtype), own_values).to(torch.float32)
        seen /= weights.sum(-1, keepdim=True)
        by_position = seen.view(shared, -1, length, head).permute(2, 0, 1, 3)
        live = (index < count).view(-1, 1, 1, 1)
        out.view(by_position.shape).copy_(torch.where(live, by_position, 0.0))

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


def _turned(projected: Tensor, cosine: Tensor, sine: Tensor, shared: int, queries: Tensor) -> tuple[Tensor, Tensor]:
    """[N, (H + 2 K) * D], turned by the angles of each, [N, D / 2]: queries, scaled, into `queries`; keys in float32
    and values, both [N, K, D], are returned."""
    count, heads, head = queries.shape
    parts = projected.view(count, -1, head)
    cos, sin = cosine[:, None], sine[:, None]
    left, right = parts[:, :-shared].to(torch.float32).chunk(2, -1)
    turned = torch.cat((left * cos - right * sin, right * cos + left * sin), -1)
    torch.mul(turned[:, :heads], head**-0.5, out=turned[:, :heads])
    queries.copy_(turned[:, :heads])
    return turned[:, heads:], parts[:, -shared:]


def _put(cache: Tensor, slots: Tensor, positions: Tensor, taken: Tensor, new: Tensor) -> None:
    """[N, K, D] into the cache's rows `slots` at `positions`, both [N], no two alike, where `taken`."""
    _, shared, length, head = cache.shape
    flat = cache.view(-1, head)
    of_heads = slots[:, None] * shared + torch.arange(shared, device=cache.device)
    places = (of_heads * length + positions[:, None]).flatten()
    # Chosen by the device: who does not take its place gives it what it has already.
    chosen = torch.where(taken.repeat_interleave(shared)[:, None], new.reshape(-1, head).to(cache.dtype), flat[places])
    flat.index_copy_(0, places, chosen)
