"""The tiny vocoder, opened once, and one thread to run it."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch

from streamer.engines.glm.vocoder.hift import Hift
from tests.engines.glm.golden import TINY


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a network only waits for further threads, and on a busy machine for long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def hift() -> Hift:
    return Hift.open(TINY, torch.device("cpu"))


@pytest.fixture(scope="session")
def exact(hift: Hift) -> Hift:
    """The same in float64, where what is left of a difference is no rounding."""
    return copy.deepcopy(hift).double()
