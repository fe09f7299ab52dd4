from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from streamer.engines.glm.flow.flow import Flow
from tests.engines.glm.golden import TINY


@pytest.fixture(scope="package")
def flow() -> Iterator[Flow]:
    """The tiny checkpoint's, on one thread: its layers are too small to be shared out."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Flow.open(TINY, torch.device("cpu"))
    torch.set_num_threads(threads)
