"""The kernels' contract on a GPU, and a step captured as a CUDA graph."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from streamer.engines.glm.kernels.base import StepKernels
from streamer.engines.glm.kernels.draws import DrawKernels
from streamer.engines.glm.kernels.opening import open_draws, open_kernels
from streamer.engines.glm.kernels.plain import PlainKernels
from streamer.engines.glm.llm.cache import BLOCK
from tests.engines.glm.kernels.contract import (
    DTYPES,
    AttentionContract,
    NormContract,
    RotationContract,
    SwigluContract,
)
from tests.engines.glm.kernels.contract_draws import DrawsContract
from tests.engines.glm.kernels.contract_stretch import StretchContract
from tests.engines.glm.kernels.numbers import Cached, Drawn, angles

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class _Cuda:
    small: Mapping[str, int] = {"heads": 16, "shared": 4, "head": 128, "length": 2 * BLOCK}
    grouped = small

    @pytest.fixture
    def device(self) -> torch.device:
        return torch.device("cuda:0")

    @pytest.fixture
    def kernels(self, device: torch.device) -> StepKernels:
        kernels = open_kernels(device, head=128)
        assert not isinstance(kernels, PlainKernels)
        return kernels


class TestAttention(_Cuda, AttentionContract):
    garbage = torch.nan


class TestRotation(_Cuda, RotationContract):
    pass


class TestSwiglu(_Cuda, SwigluContract):
    pass


class TestNorm(_Cuda, NormContract):
    pass


class TestStretch(_Cuda, StretchContract):
    sizes: Mapping[str, int] = {"heads": 16, "shared": 4, "head": 128}
    garbage = torch.nan


class TestDraws(_Cuda, DrawsContract):
    widths = (10, 2048, 32_769)

    @pytest.fixture
    def draws(self, device: torch.device) -> DrawKernels:
        return open_draws(device)


class TestGraph(_Cuda):
    @DTYPES
    def test_a_captured_step_follows_the_positions(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype
    ) -> None:
        """One layer but for its products: the same bits as outside of the graph, wherever the rows stand by then."""
        rows, heads, shared, head = 8, 16, 4, 128
        drawn = Drawn(device, dtype)
        cached = Cached.draw(drawn, [0] * rows, heads=heads, shared=shared, head=head, length=4 * BLOCK)
        cosine, sine = angles(device, 4 * BLOCK, head)
        joint, delta = drawn.normal(rows, (heads + 2 * shared) * head), drawn.normal(rows, heads * head)
        weight, scratch = drawn.normal(heads * head), cached.scratch()
        seen, normed = drawn.empty(rows, heads * head), drawn.empty(rows, heads * head)
        opened = drawn.empty(rows, heads * head // 2)

        def step() -> None:
            kernels.rotate_and_store(joint, cosine, sine, cached.positions, cached.keys, cached.values, cached.queries)
            kernels.decode_attention(cached.queries, cached.keys, cached.values, cached.positions, scratch, seen)
            kernels.add_rms_norm(seen, delta, weight, 1e-5, normed)
            kernels.swiglu(normed, opened)

        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            step()
        side.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        for positions in ([0] * rows, [5, 255, 256, 511, -1, 700, 1023, 0], [1023] * rows):
            cached.positions.copy_(torch.tensor(positions))
            joint.copy_(drawn.normal(*joint.shape))
            graph.replay()
            replayed = [part.clone() for part in (seen, normed, opened, cached.keys, cached.values)]
            step()
            for one, other in zip(replayed, (seen, normed, opened, cached.keys, cached.values), strict=True):
                assert torch.equal(one, other)

    def test_captured_draws_follow_the_probabilities(self, device: torch.device) -> None:
        draws, drawn = open_draws(device), Drawn(device, torch.float32)
        probabilities = drawn.normal(8, 32_769).softmax(1)
        uniforms = torch.full((8,), 0.7, dtype=torch.float64, device=device)
        wanted = torch.tensor([True, False] * 4, device=device)

        def step() -> list[torch.Tensor]:
            columns, likely = draws.candidates(probabilities, 25)
            return [columns, likely, draws.draw(probabilities, uniforms, wanted)[wanted_rows]]

        wanted_rows = torch.arange(0, 8, 2, device=device)
        step()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = step()
        for _ in range(3):
            probabilities.copy_(drawn.normal(8, 32_769).softmax(1))
            graph.replay()
            for one, other in zip(captured, step(), strict=True):
                assert torch.equal(one, other)
