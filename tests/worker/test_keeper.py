from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from streamer.clock import ManualClock
from streamer.engines.base import Samples
from streamer.errors import RequestFailed, StoreUnavailable
from streamer.identity import Owner
from streamer.store.encoding import encode
from streamer.store.verdicts import Completed, Failed, Verdict
from streamer.worker.keeper import Keeper
from streamer.worker.mastering import Mastering
from streamer.worker.pool import Standing
from streamer.worker.task import Task
from tests.worker.builders import ScriptedEngine, TroubledStore, task

SAMPLES = np.arange(2_400, dtype=np.int16)


@pytest.fixture
def store() -> TroubledStore:
    return TroubledStore()


def keeper_of(store: TroubledStore, clock: ManualClock, format: str = "wav") -> Keeper:
    profile = ScriptedEngine().profile
    return Keeper(store, Mastering(store.uri, encode, profile, format=format, sample_rate=24_000, encoder="e1"), clock)


@pytest.fixture
def keeper(store: TroubledStore) -> Keeper:
    return keeper_of(store, ManualClock())


def completed(verdict: Verdict) -> Completed:
    assert isinstance(verdict.state, Completed)
    return verdict.state


def kept(keeper: Keeper, one: Task, samples: Samples) -> Verdict:
    verdict = keeper.keep_speech(one, samples)
    assert isinstance(verdict, Verdict)
    return verdict


def puts(store: TroubledStore) -> list[str]:
    return [key.rsplit(".", 1)[1] for operation, key in store.calls if operation in ("put", "replace")]


def test_audio_is_durable_before_its_verdict(keeper: Keeper, store: TroubledStore) -> None:
    one = task()
    verdict = kept(keeper, one, SAMPLES)
    assert puts(store) == ["wav", "json"]
    audio = completed(verdict).audio
    data = store.get(audio.uri.removeprefix("memory:///"))
    assert data is not None
    assert audio.uri.startswith(f"memory:///{one.claim.identity.folder}/{audio.sha256}.")
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (audio.sha256, audio.bytes)
    assert (audio.frames, audio.sample_rate, audio.duration, audio.format) == (2_400, 24_000, 0.1, "wav")
    assert (verdict.owner, verdict.fingerprint) == (one.claim.owner, one.claim.fingerprint)
    assert keeper.look_up(one) == Standing(verdict, None)


@pytest.mark.parametrize("refused", [".wav", ".json"])
def test_without_the_audio_there_is_no_verdict(keeper: Keeper, store: TroubledStore, refused: str) -> None:
    def refuses(key: str) -> bool:
        if key.endswith(refused):
            raise StoreUnavailable("injected")
        return False

    store.refuses = refuses
    with pytest.raises(StoreUnavailable):
        kept(keeper, task(), SAMPLES)
    store.refuses = lambda key: False
    assert keeper.look_up(task()) == Standing(None, None)


def test_the_loser_gets_the_verdict_that_stands(keeper: Keeper) -> None:
    first, second = task(offset=1), task(offset=2)
    verdict = kept(keeper, first, SAMPLES)
    assert kept(keeper, second, SAMPLES[::-1].copy()) == verdict
    assert keeper.keep_failure(second, "synthesis_failed", "m") == verdict
    assert verdict.owner == first.claim.owner


def test_keeping_again_after_a_lost_answer_changes_nothing(keeper: Keeper) -> None:
    one = task()
    assert kept(keeper, one, SAMPLES) == kept(keeper, one, SAMPLES)


def test_what_the_request_chose_is_made(keeper: Keeper) -> None:
    audio = completed(kept(keeper, task(sample_rate=8_000), SAMPLES)).audio
    assert (audio.sample_rate, audio.frames) == (8_000, 800)


@pytest.mark.parametrize(
    ("fields", "rate", "extension"),
    [
        ({"format": "alaw"}, 8_000, "alaw"),
        ({"format": "alaw", "sample_rate": 16_000}, 16_000, "alaw"),
        ({"format": "wav_ulaw"}, 8_000, "wav"),
        ({"format": "flac"}, 24_000, "flac"),
        ({}, 24_000, "wav"),
    ],
)
def test_a_format_has_its_own_rate_unless_the_request_says(
    keeper: Keeper, fields: dict[str, Any], rate: int, extension: str
) -> None:
    audio = completed(kept(keeper, task(**fields), SAMPLES)).audio
    assert audio.sample_rate == rate
    assert audio.uri.endswith(f".{extension}")


def test_a_rate_that_the_default_format_is_not_written_at_is_the_records_failure(store: TroubledStore) -> None:
    keeper = keeper_of(store, ManualClock(), "opus")
    with pytest.raises(RequestFailed, match=r"sample_rate: is 44100, and format opus is written at") as raised:
        kept(keeper, task(sample_rate=44_100), SAMPLES)
    assert raised.value.code == "invalid_request"


def test_how_it_was_made_is_recorded(keeper: Keeper) -> None:
    recipe = completed(kept(keeper, task(), SAMPLES)).recipe
    assert (recipe.text, recipe.voice, recipe.engine, recipe.revision) == ("hello", "plain", "script", "1")


@pytest.mark.parametrize(("output_name", "told"), [("订单.wav", "订单.wav"), (None, "a")])
def test_the_store_is_told_how_a_download_is_called(output_name: str | None, told: str) -> None:
    names: list[str | None] = []

    class Naming(TroubledStore):
        def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
            names.append(download_name)
            super().replace(key, data, download_name)

    keeper = keeper_of(Naming(), ManualClock())
    kept(keeper, task(output_name=output_name), SAMPLES)
    assert names == [told]


def test_timings_say_where_the_time_went(store: TroubledStore) -> None:
    clock = ManualClock()

    class Slow(TroubledStore):
        def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
            clock.advance(0.25)
            super().replace(key, data)

    keeper = keeper_of(Slow(), clock)
    one = task()
    sent = one.record.timestamp / 1000
    one.started_at, one.spoken_at = sent + 2, sent + 5
    timings = completed(kept(keeper, one, SAMPLES)).timings
    assert (timings.queued, timings.synthesis, timings.durable) == (2, 3, 0.25)


def test_a_senders_clock_that_is_ahead_is_no_negative_wait(keeper: Keeper) -> None:
    one = task()
    one.started_at = one.spoken_at = one.record.timestamp / 1000 - 60
    assert completed(kept(keeper, one, SAMPLES)).timings.queued == 0


def test_a_failure_is_a_verdict_too(keeper: Keeper) -> None:
    one = task()
    one.attempts = 3
    verdict = keeper.keep_failure(one, "synthesis_failed", "why")
    assert verdict.state == Failed(code="synthesis_failed", message="why", attempts=3)
    assert verdict.decided_at == int(ManualClock().now() * 1000)


def test_a_redrive_is_looked_up_beside_what_it_follows(keeper: Keeper) -> None:
    failed = keeper.keep_failure(task(offset=1), "synthesis_failed", "why")
    again = task(offset=9)
    again.claim = type(again.claim)(
        identity=again.claim.identity,
        generation=2,
        owner=Owner(cluster="c", topic="t", partition=0, offset=9),
        fingerprint=again.claim.fingerprint,
        expires_at=None,
    )
    assert keeper.look_up(again) == Standing(None, failed)
    second = kept(keeper, again, SAMPLES)
    assert keeper.look_up(again) == Standing(second, failed)


def test_a_format_that_is_not_written_is_the_records_failure(keeper: Keeper) -> None:
    with pytest.raises(RequestFailed, match="wav"):
        kept(keeper, task(format="ogg"), SAMPLES)


def test_a_task_without_an_utterance_is_a_mistake_of_ours(keeper: Keeper) -> None:
    one: Task = task()
    one.utterance = None
    with pytest.raises(ValueError, match="utterance"):
        kept(keeper, one, SAMPLES)


def test_the_recipe_names_the_encoder(keeper: Keeper) -> None:
    assert completed(kept(keeper, task(), SAMPLES)).recipe.encoder == "e1"
