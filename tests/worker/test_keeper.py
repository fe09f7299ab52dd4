from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamer.clock import ManualClock
from streamer.engines.base import Samples
from streamer.errors import RequestFailed, StoreRejected, StoreUnavailable
from streamer.identity import Owner
from streamer.store.base import Store
from streamer.store.deletion import bury
from streamer.store.encoding import encode
from streamer.store.memory import MemoryStore
from streamer.store.opening import open_store
from streamer.store.s3 import REQUESTS
from streamer.store.verdicts import Completed, Failed, Verdict, Verdicts, audio_key
from streamer.worker.keeper import Keeper
from streamer.worker.mastering import Mastering
from streamer.worker.pool import Standing
from streamer.worker.task import Task
from tests.faults.proxy import Fault, FaultProxy, clear
from tests.store.s3server import S3Server
from tests.worker.builders import ScriptedEngine, TroubledStore, task

SAMPLES = np.arange(2_400, dtype=np.int16)


@pytest.fixture
def store() -> TroubledStore:
    return TroubledStore()


def keeper_of(store: Store, clock: ManualClock, format: str = "wav") -> Keeper:
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


def test_speech_is_kept_by_four_requests(keeper: Keeper, store: TroubledStore) -> None:
    """Each costs time and money on S3, for every record."""
    verdict = kept(keeper, task(), SAMPLES)
    file, found = key_of(verdict), f"{verdict.identity.folder}/verdict-1.json"
    read = ("get", file)  # how the store in memory tells a size
    assert [call for call in store.calls if call != read] == [
        ("replace", file),
        ("put", found),
        ("get", found),
        ("size", file),
    ]


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


# What others do to the store meanwhile: `streamer gc` takes audio, `streamer delete` verdicts and audio


class MeddledStore(TroubledStore):
    """Before the next call of an operation on a key that ends so, something happens, once."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[tuple[str, str], Callable[[], object]] = {}

    def _note(self, operation: str, key: str) -> None:
        for (awaited, end), happens in list(self.before.items()):
            if operation == awaited and key.endswith(end):
                del self.before[awaited, end]
                happens()
        super()._note(operation, key)


@pytest.fixture
def meddled() -> MeddledStore:
    return MeddledStore()


def key_of(verdict: Verdict) -> str:
    return audio_key(verdict.identity, completed(verdict).audio)


def files(store: TroubledStore) -> list[str]:
    return [key for key in store.list("") if not key.endswith(".json")]


def taken(store: TroubledStore) -> None:
    for key in files(store):
        store.delete(key)


def generation_two(offset: int = 9) -> Task:
    again = task(offset=offset)
    claim = again.claim
    again.claim = type(claim)(
        identity=claim.identity, generation=2, owner=claim.owner, fingerprint=claim.fingerprint, expires_at=None
    )
    return again


def test_an_attempt_lets_the_age_of_its_audio_restart() -> None:
    clock = ManualClock()
    store = MemoryStore(clock.now)
    keeper = keeper_of(store, clock)
    for _ in range(2):
        clock.advance(86_400)
        kept(keeper, task(), SAMPLES)
        assert [entry.modified for entry in store.entries("") if entry.key.endswith(".wav")] == [clock.now()]


def test_audio_that_was_taken_before_its_verdict_stood_is_written_again(meddled: MeddledStore) -> None:
    keeper = keeper_of(meddled, ManualClock())
    meddled.before["put", ".json"] = lambda: taken(meddled)
    verdict = kept(keeper, task(), SAMPLES)
    assert puts(meddled) == ["wav", "json", "wav"]
    assert hashlib.sha256(meddled.get(key_of(verdict)) or b"").hexdigest() == completed(verdict).audio.sha256


def test_a_verdict_whose_audio_is_gone_is_spoken_again_and_the_same_bytes_restored(
    keeper: Keeper, store: TroubledStore
) -> None:
    one = task()
    verdict = kept(keeper, one, SAMPLES)
    data = store.get(key_of(verdict))
    store.delete(key_of(verdict))
    assert keeper.look_up(one) == Standing(verdict, None, lacks_audio=True)
    assert kept(keeper, one, SAMPLES) == verdict
    assert store.get(key_of(verdict)) == data


def test_another_record_does_not_look_for_the_audio_of_a_verdict_that_is_not_its_own(
    keeper: Keeper, store: TroubledStore
) -> None:
    verdict = kept(keeper, task(offset=1), SAMPLES)
    store.delete(key_of(verdict))
    assert keeper.look_up(task(offset=2)) == Standing(verdict, None)
    assert keeper.keep_failure(task(offset=2), "synthesis_failed", "why") == verdict


@pytest.mark.parametrize("failed", [False, True])
def test_other_audio_than_the_verdict_names_is_refused_with_the_remedy(
    keeper: Keeper, store: TroubledStore, failed: bool
) -> None:
    one = task()
    verdict = kept(keeper, one, SAMPLES)
    store.delete(key_of(verdict))
    with pytest.raises(StoreRejected, match=rf"{key_of(verdict)} is gone.*restore the file, or .*`streamer delete`"):
        keeper.keep_failure(one, "synthesis_failed", "m") if failed else kept(keeper, one, SAMPLES[::-1].copy())
    bury(store, one.claim.identity, 5)
    found = keeper.look_up(one)
    assert isinstance(found, Standing)
    assert found.verdict is not None
    assert found.verdict.deleted
    assert not found.lacks_audio


@pytest.mark.parametrize("moment", ["put .json", "get .json", "size .wav", "replace .wav"])
def test_a_deletion_is_never_undone_by_an_attempt(meddled: MeddledStore, moment: str) -> None:
    """Whenever it comes: the verdict is a tombstone, no audio is left, and the attempt ends by the tombstone."""
    keeper, one = keeper_of(meddled, ManualClock()), task()
    kept(keeper, one, SAMPLES)
    operation, _, end = moment.partition(" ")
    meddled.before[operation, end] = lambda: bury(meddled, one.claim.identity, 5)
    assert kept(keeper, one, SAMPLES).deleted
    assert files(meddled) == []


def test_a_deletion_while_lost_audio_is_restored_is_not_undone(meddled: MeddledStore) -> None:
    keeper, one = keeper_of(meddled, ManualClock()), task()

    def delete_at_the_next_write() -> None:
        taken(meddled)
        meddled.before["replace", ".wav"] = lambda: bury(meddled, one.claim.identity, 5)

    meddled.before["size", ".wav"] = delete_at_the_next_write
    assert kept(keeper, one, SAMPLES).deleted
    assert files(meddled) == []


def test_a_deletion_before_a_failure_is_kept_is_what_it_ends_by(meddled: MeddledStore) -> None:
    keeper, one = keeper_of(meddled, ManualClock()), task()
    kept(keeper, one, SAMPLES)
    meddled.before["size", ".wav"] = lambda: bury(meddled, one.claim.identity, 5)
    assert keeper.keep_failure(one, "synthesis_failed", "m").deleted


@pytest.mark.parametrize("moment", ["replace .wav", "put verdict-2.json", "get verdict-2.json", "get verdict-1.json"])
def test_a_redrive_that_raced_a_deletion_buries_its_own(meddled: MeddledStore, moment: str) -> None:
    """The deletion had looked for further verdicts already, and saw only the first."""
    keeper, again = keeper_of(meddled, ManualClock()), generation_two()
    first = keeper.keep_failure(task(offset=1), "synthesis_failed", "why")
    operation, _, end = moment.partition(" ")
    meddled.before[operation, end] = lambda: Verdicts(meddled).bury(first, 5)
    verdict = kept(keeper, again, SAMPLES)
    assert (verdict.deleted, verdict.generation, verdict.owner) == (True, 2, again.claim.owner)
    assert files(meddled) == []


@pytest.mark.parametrize("deleted", [False, True])
def test_the_longest_job_on_s3_is_within_what_the_watchdog_allows(s3: S3Server, deleted: bool) -> None:
    """A redrive whose audio is gone when it looks, or whose predecessor was deleted; its audio goes in parts."""
    counted: list[str] = []

    def note(method: str, target: str) -> Fault:
        counted.append(f"{method} {target.partition('?')[0].rpartition('/')[2]}")
        return Fault.NONE

    with FaultProxy(s3.port, clear, give_up=5) as proxy:
        store = open_store(s3.settings(f"keeper/{secrets.token_hex(8)}", endpoint=proxy.endpoint))
        keeper = keeper_of(store, ManualClock())
        first = keeper.keep_failure(task(offset=1), "synthesis_failed", "why")
        store.put(f"{first.identity.folder}/{'0' * 64}.wav", b"of an attempt that lost")
        if deleted:
            Verdicts(store).bury(first, 5)
        gone = iter([None] if not deleted else [])
        size = store.size
        store.size = lambda key: next(gone, size(key))  # type: ignore[method-assign]
        proxy.choose = note
        assert kept(keeper, generation_two(), SAMPLES).deleted is deleted
        store.close()
    written = sum(call.startswith("PUT") and call.endswith(".wav") for call in counted)
    assert written == (1 if deleted else 2)
    unclear, repeated, parts = 1, 1.2, 8.4
    assert (len(counted) - written + unclear) * repeated + written * parts <= REQUESTS
