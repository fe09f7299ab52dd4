"""Keeping an engine busy, with the engine of tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.engine.files import Files, Pool
from benchmarks.engine.speaking import Busy, NotSpoken
from streamer.engines.base import Samples, Synthesizer, Utterance
from streamer.engines.tone import ToneSynthesizer
from streamer.settings import Tone
from streamer.voices import Voice


def utterances(count: int) -> list[tuple[int, Utterance]]:
    voice = Voice(name="plain")
    return [(number, Utterance(text="a" * (1 + number % 5), voice=voice, seed=0)) for number in range(count)]


class Counting(ToneSynthesizer):
    """Notes how many utterances it was given and has not reported."""

    def __init__(self, settings: Tone) -> None:
        super().__init__(settings, lambda seconds: None)
        self.most = self.now = 0

    def submit(self, utterance: Utterance):  # type: ignore[no-untyped-def]
        self.now += 1
        self.most = max(self.most, self.now)
        return super().submit(utterance)

    def step(self):  # type: ignore[no-untyped-def]
        reports = super().step()
        self.now -= len(reports)
        return reports


@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_as_many_as_asked_are_under_way_and_all_are_spoken(concurrency: int) -> None:
    engine = Counting(Tone())
    spoken: dict[int, Samples] = {}
    busy = Busy(engine, utterances(12), concurrency, spoken.__setitem__)
    while busy.turn():
        pass
    assert sorted(spoken) == list(range(12))
    assert engine.most == min(concurrency, 12)


def test_a_failure_ends_it() -> None:
    busy = Busy(Counting(Tone(failure_rate=1.0)), utterances(2), 2, lambda number, samples: None)
    with pytest.raises(NotSpoken, match="utterance 0"):
        while busy.turn():
            pass


def test_what_is_stopped_is_cancelled() -> None:
    engine: Synthesizer = Counting(Tone(rows=1))
    busy = Busy(engine, utterances(4), 4, lambda number, samples: None)
    busy.turn()
    busy.stop()
    assert not engine.step()


def test_files_are_kept_with_what_is_in_them(tmp_path: Path) -> None:
    files = Files(tmp_path, 24_000)
    pool, engine = Pool(files, 2), Counting(Tone())
    busy = Busy(engine, utterances(6), 6, pool.keep)
    while busy.turn():
        pass
    kept = pool.finish()
    files.close()
    assert sorted(kept) == list(range(6))
    assert len(list(tmp_path.rglob("*.wav"))) == 6
    assert kept[0].sha256 == kept[5].sha256 != kept[1].sha256  # texts 0 and 5 are the same
    assert pool.seconds > 0
    assert all(one.seconds > 0 for one in kept.values())
