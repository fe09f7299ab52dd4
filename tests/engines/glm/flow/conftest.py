from __future__ import annotations

import pytest
import torch

from streamer.engines.glm.flow.flow import Flow
from tests.engines.glm.golden import TINY


@pytest.fixture(scope="package")
def flow() -> Flow:
    """The tiny checkpoint's."""
    return Flow.open(TINY, torch.device("cpu"))
