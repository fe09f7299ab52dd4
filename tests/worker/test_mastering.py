from __future__ import annotations

import hashlib

import numpy as np
import pytest

from streamer.errors import RequestFailed
from streamer.store.encoding import encode
from streamer.worker.mastering import Master, Mastering
from streamer.worker.verify import Flaw
from tests.worker.builders import ScriptedEngine, TroubledStore, task

SAMPLES = np.arange(2_400, dtype=np.int16)


def mastering(store: TroubledStore, format: str = "wav") -> Mastering:
    profile = ScriptedEngine().profile
    return Mastering(store.uri, encode, profile, format=format, sample_rate=24_000, encoder="e1")


def mastered(of: Mastering, **fields: object) -> Master:
    master = of.master(task(**fields), SAMPLES)  # type: ignore[arg-type]  # fields of a request
    assert isinstance(master, Master)
    return master


def test_a_master_is_a_file_in_memory_until_it_is_written() -> None:
    store = TroubledStore()
    one = task()
    master = mastered(mastering(store))
    assert store.calls == []
    assert master.key == f"{one.claim.identity.folder}/{hashlib.sha256(master.data).hexdigest()}.wav"
    assert (master.audio.uri, master.audio.bytes) == (f"memory:///{master.key}", len(master.data))
    master.write(store)
    master.write(store)
    assert store.calls == [("replace", master.key)] * 2
    assert store.get(master.key) == master.data


def test_the_same_task_and_samples_make_the_same_master() -> None:
    store = TroubledStore()
    assert mastered(mastering(store)) == mastered(mastering(store))


def test_a_speech_that_does_not_count_is_no_file() -> None:
    flaw = mastering(TroubledStore()).master(task(), np.zeros(2_400, np.int16))
    assert isinstance(flaw, Flaw)
    assert flaw.measure == "least_rms"


def test_the_recipe_says_how_it_was_made() -> None:
    one = task()
    one.template = "rule"
    master = mastering(TroubledStore()).master(one, SAMPLES)
    assert isinstance(master, Master)
    recipe = master.recipe
    assert (recipe.text, recipe.voice, recipe.seed, recipe.template) == ("hello", "plain", 1, "rule")
    assert (recipe.engine, recipe.revision, recipe.encoder) == ("script", "1", "e1")
    bounds = ScriptedEngine().profile.bounds
    assert bounds is not None
    assert recipe.bounds == bounds.hash


def test_a_download_is_called_as_the_request_says_or_by_its_id() -> None:
    of = mastering(TroubledStore())
    assert mastered(of).download_name == "a"
    named = mastered(of, output_name="order.wav")
    assert named.download_name == "order.wav"
    assert named.completed(task(output_name="order.wav"), 0.5).output_name == "order.wav"


def test_a_format_that_the_rate_is_not_written_in_is_the_records_failure() -> None:
    with pytest.raises(RequestFailed, match=r"sample_rate: is 44100, and format opus"):
        mastered(mastering(TroubledStore(), "opus"), sample_rate=44_100)


def test_computing_is_bounded_by_the_length_of_the_speech() -> None:
    of = mastering(TroubledStore())
    assert of.computing(np.zeros(24_000 * 600, np.int16)) == pytest.approx(60)
