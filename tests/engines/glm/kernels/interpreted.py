"""The kernels' contract, by Triton's kernels in its interpreter. test_interpreted.py runs this in a process of its own:
whether Triton interprets or compiles is settled when it is imported."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from streamer.engines.glm.kernels.base import StepKernels
from streamer.engines.glm.kernels.draws import DrawKernels
from streamer.engines.glm.kernels.triton_draws import TritonDraws
from streamer.engines.glm.kernels.triton_step import TritonKernels
from tests.engines.glm.kernels import interpreter
from tests.engines.glm.kernels.contract import AttentionContract, NormContract, RotationContract, SwigluContract
from tests.engines.glm.kernels.contract_draws import DrawsContract
from tests.engines.glm.kernels.contract_stretch import StretchContract

interpreter.mend()


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """A GPU does not warn of what is no number either."""
    with np.errstate(over="ignore", invalid="ignore"):
        yield


class _Interpreted:
    @pytest.fixture
    def kernels(self) -> StepKernels:
        return TritonKernels()

    @pytest.fixture
    def device(self) -> torch.device:
        return torch.device("cpu")


class TestAttention(_Interpreted, AttentionContract):
    garbage = torch.nan


class TestRotation(_Interpreted, RotationContract):
    pass


class TestSwiglu(_Interpreted, SwigluContract):
    pass


class TestNorm(_Interpreted, NormContract):
    pass


class TestStretch(_Interpreted, StretchContract):
    garbage = torch.nan


class TestDraws(_Interpreted, DrawsContract):
    @pytest.fixture
    def draws(self) -> DrawKernels:
        return TritonDraws(part=32)
