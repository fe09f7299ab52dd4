"""An audio that stands in the store before anything is sent, for requests that bring it along as their prompt."""

from __future__ import annotations

import hashlib

from streamer.identity import Identity, Owner
from streamer.records import Audio, Timings
from streamer.store.base import Store
from streamer.store.verdicts import Completed, Recipe, Verdict, Verdicts

_SOUND = b"a voice"
_IDENTITY = Identity("studio", "reference")
REFERENCE = f"{_IDENTITY.folder}/{hashlib.sha256(_SOUND).hexdigest()}.wav"
"""Its key."""
LOST = f"{_IDENTITY.folder}/{hashlib.sha256(b'lost').hexdigest()}.wav"
"""The key of one that is not there."""


def place(store: Store) -> None:
    """With a verdict, so that no gc takes it."""
    digest = hashlib.sha256(_SOUND).hexdigest()
    audio = Audio(
        uri=store.uri(REFERENCE),
        format="wav",
        sample_rate=24_000,
        frames=1,
        duration=0.0,
        bytes=len(_SOUND),
        sha256=digest,
        pcm_sha256=digest,
    )
    recipe = Recipe(text="", voice="", voice_hash="", engine="", revision="", seed=0)
    timings = Timings(queued=0.0, synthesis=0.0, durable=0.0)
    store.put(REFERENCE, _SOUND)
    Verdicts(store).settle(
        Verdict(
            identity=_IDENTITY,
            generation=1,
            owner=Owner(cluster="another", topic="another", partition=0, offset=0),
            fingerprint="",
            state=Completed(audio=audio, recipe=recipe, timings=timings),
            decided_at=0,
        )
    )
