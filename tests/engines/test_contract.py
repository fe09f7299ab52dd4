from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from streamer.clock import ManualClock, SystemClock
from streamer.engines import opening
from streamer.engines.base import Synthesizer
from streamer.settings import EngineChoice, Tone
from tests.engines.contract import EngineContract, SlicedEngineContract


class _Opened:
    @pytest.fixture
    def open_engine(self) -> Callable[[], Synthesizer]:
        raise NotImplementedError

    @pytest.fixture
    def engine(self, open_engine: Callable[[], Synthesizer]) -> Iterator[Synthesizer]:
        engine = open_engine()
        yield engine
        engine.close()


class TestEspeak(_Opened, SlicedEngineContract):
    unspeakable = "，。"

    @pytest.fixture
    def open_engine(self) -> Callable[[], Synthesizer]:
        return lambda: opening.open_engine(EngineChoice(name="espeak"), SystemClock())


class TestTone(_Opened, SlicedEngineContract):
    unspeakable = "a text that fails [[fail]]"

    @pytest.fixture
    def open_engine(self) -> Callable[[], Synthesizer]:
        tone = Tone(cost_per_character=0.01, rows=3)
        return lambda: opening.open_engine(EngineChoice(name="tone", tone=tone), ManualClock())


class TestFreeTone(_Opened, EngineContract):
    """At no cost, which is not sliced: a step speaks all there is."""

    unspeakable = "a text that fails [[fail]]"

    @pytest.fixture
    def open_engine(self) -> Callable[[], Synthesizer]:
        return lambda: opening.open_engine(EngineChoice(name="tone"), ManualClock())
