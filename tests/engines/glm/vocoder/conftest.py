"""The tiny vocoder, opened once."""

from __future__ import annotations

import copy

import pytest
import torch

from streamer.engines.glm.vocoder.hift import Hift
from tests.engines.glm.golden import TINY


@pytest.fixture(scope="session")
def hift() -> Hift:
    return Hift.open(TINY, torch.device("cpu"))


@pytest.fixture(scope="session")
def exact(hift: Hift) -> Hift:
    """The same in float64, where what is left of a difference is no rounding."""
    return copy.deepcopy(hift).double()
