"""The contract of all engines, on the tiny checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.engines.base import Synthesizer
from tests.engines.contract import SlicedEngineContract
from tests.engines.glm.speaking import Cloning


@pytest.fixture(scope="module")
def opened(glm_cache: Path) -> Iterator[Cloning]:
    engine = Cloning.open(glm_cache)
    yield engine
    engine.close()


class TestGlm(SlicedEngineContract):
    """Its texts are short: what is spoken alone costs as much a token as a whole batch."""

    unspeakable = "🎉🎉"
    texts = ("Paid.", "您好。", "Hi, 王先生, 42.", "A", "好", "This one is longer than those are.")
    seeds = (1,)
    many = 12
    long = 300

    @pytest.fixture
    def open_engine(self, glm_cache: Path) -> Callable[[], Synthesizer]:
        return lambda: Cloning.open(glm_cache)

    @pytest.fixture
    def engine(self, opened: Cloning) -> Iterator[Synthesizer]:
        """One for all: what was cancelled has nothing left in it."""
        yield opened
        opened.cancel_all()
