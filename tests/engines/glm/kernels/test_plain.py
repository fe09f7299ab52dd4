"""The kernels' contract, by torch's own operations."""

from __future__ import annotations

import pytest
import torch

from streamer.engines.glm.kernels.base import StepKernels
from streamer.engines.glm.kernels.draws import DrawKernels
from streamer.engines.glm.kernels.opening import open_kernels
from streamer.engines.glm.kernels.plain import PlainKernels
from streamer.engines.glm.kernels.plain_draws import PlainDraws
from tests.engines.glm.kernels.contract import AttentionContract, NormContract, RotationContract, SwigluContract
from tests.engines.glm.kernels.contract_draws import DrawsContract
from tests.engines.glm.kernels.contract_stretch import StretchContract


class _Plain:
    @pytest.fixture
    def kernels(self) -> StepKernels:
        return PlainKernels()

    @pytest.fixture
    def device(self) -> torch.device:
        return torch.device("cpu")


class TestAttention(_Plain, AttentionContract):
    pass


class TestRotation(_Plain, RotationContract):
    pass


class TestSwiglu(_Plain, SwigluContract):
    pass


class TestNorm(_Plain, NormContract):
    pass


class TestStretch(_Plain, StretchContract):
    pass


class TestDraws(_Plain, DrawsContract):
    @pytest.fixture
    def draws(self) -> DrawKernels:
        return PlainDraws()


@pytest.mark.parametrize(("device", "head"), [("cpu", 128), ("cuda", 24), ("cuda", 8)])
def test_it_is_what_is_left_where_triton_does_not_fit(device: str, head: int) -> None:
    assert isinstance(open_kernels(torch.device(device), head), PlainKernels)
