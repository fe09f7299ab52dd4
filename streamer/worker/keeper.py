"""What a task asks of the store, run in the pool: look-ups, and speech, once it is verified, with its verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from streamer.clock import Clock
from streamer.engines.base import Profile, Samples
from streamer.errors import StoreRejected
from streamer.formats import chosen
from streamer.identity import Identity
from streamer.records import Audio, Timings
from streamer.store.base import Store
from streamer.store.deletion import bury
from streamer.store.verdicts import Completed, Failed, Recipe, Verdict, Verdicts, audio_key
from streamer.worker.pool import Outcome, Standing
from streamer.worker.task import Task
from streamer.worker.verify import Flaw, flaw_of


class Encoded(Protocol):
    """One audio file, as streamer.store.encoding makes it."""

    @property
    def data(self) -> bytes: ...
    @property
    def format(self) -> str: ...
    @property
    def extension(self) -> str: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def duration(self) -> float: ...
    @property
    def sha256(self) -> str: ...
    @property
    def pcm_sha256(self) -> str: ...


_COMPUTING = 0.1
"""Of a speech's length; Opus of noise, the slowest, took 0.014 of it on one busy core."""

Encode = Callable[[Samples, int, str, int], Encoded]
"""(samples, their rate, format, rate wanted)"""


class Keeper:
    """Thread safe. Errors: those of the store."""

    def __init__(
        self,
        store: Store,
        encode: Encode,
        profile: Profile,
        clock: Clock,
        *,
        format: str,
        sample_rate: int,
        encoder: str = "",
    ) -> None:
        """`encoder`: the version of `encode`, for the recipe. `format` and `sample_rate` (Hz): where none is named."""
        self._store, self._verdicts = store, Verdicts(store)
        self._encode, self._profile, self._clock = encode, profile, clock
        self._format, self._sample_rate, self._encoder = format, sample_rate, encoder
        self._bounds = profile.bounds.hash if profile.bounds else ""

    def computing(self, samples: Samples) -> float:
        """Seconds that verifying and encoding them may take."""
        return _COMPUTING * len(samples) / self._profile.sample_rate

    def look_up(self, task: Task) -> Outcome:
        claim = task.claim
        previous = self._verdicts.read(claim.identity, claim.generation - 1) if claim.generation > 1 else None
        verdict = self._verdicts.read(claim.identity, claim.generation)
        return Standing(verdict, previous, verdict is not None and self._lost_audio(task, verdict) is not None)

    def keep_speech(self, task: Task, samples: Samples) -> Verdict | Flaw:
        """Audio first, then its verdict; the verdict that stands. Or why the speech does not count."""
        request, utterance = task.request, task.utterance
        if request is None or utterance is None:
            raise ValueError("a task without an utterance was spoken")
        began = self._clock.monotonic()
        flaw = flaw_of(samples, utterance, self._profile)
        if flaw is not None:
            return flaw
        format, rate = chosen(request.format, request.sample_rate, self._format, self._sample_rate)
        encoded = self._encode(samples, self._profile.sample_rate, format, rate)
        key = f"{task.claim.identity.folder}/{encoded.sha256}.{encoded.extension}"
        # Also where it exists, so that its age restarts, and `streamer gc` does not take it before its verdict stands.
        self._store.replace(key, encoded.data, request.output_name or task.claim.identity.id)
        audio = Audio(
            uri=self._store.uri(key),
            format=encoded.format,
            sample_rate=encoded.sample_rate,
            frames=encoded.frames,
            duration=encoded.duration,
            bytes=len(encoded.data),
            sha256=encoded.sha256,
            pcm_sha256=encoded.pcm_sha256,
        )
        recipe = Recipe(
            text=utterance.text,
            voice=utterance.voice.name,
            voice_hash=utterance.voice.hash,
            engine=self._profile.name,
            revision=self._profile.revision,
            seed=utterance.seed,
            template=task.template,
            bounds=self._bounds,
            encoder=self._encoder,
        )
        timings = Timings(
            queued=max(0.0, task.started_at - task.record.timestamp / 1000),
            synthesis=max(0.0, task.spoken_at - task.started_at),
            durable=self._clock.monotonic() - began,
        )
        standing = self._settle(
            task, Completed(audio=audio, recipe=recipe, timings=timings, output_name=request.output_name)
        )
        if self._lost_audio(task, standing) == key:
            self._store.replace(key, encoded.data, request.output_name or task.claim.identity.id)
        return self._with_audio(task, standing)

    def keep_failure(self, task: Task, code: str, message: str) -> Verdict:
        return self._with_audio(task, self._settle(task, Failed(code=code, message=message, attempts=task.synthesized)))

    def _with_audio(self, task: Task, standing: Verdict) -> Verdict:
        """Errors: StoreRejected where the task's own verdict names a file that is gone."""
        lost = self._lost_audio(task, standing)
        if lost is not None:
            raise StoreRejected(
                f"its audio {self._store.uri(lost)} is gone, and today's engine, voice or template makes another; "
                "restore the file, or give the result up with `streamer delete`"
            )
        return standing

    def _lost_audio(self, task: Task, standing: Verdict) -> str | None:
        """The key of the file that the task's own verdict names and that is not there."""
        if standing.owner != task.claim.owner or not isinstance(standing.state, Completed):
            return None
        key = audio_key(standing.identity, standing.state.audio)
        return key if self._store.size(key) is None else None

    def _settle(self, task: Task, state: Completed | Failed) -> Verdict:
        claim = task.claim
        verdict = Verdict(
            identity=claim.identity,
            generation=claim.generation,
            owner=claim.owner,
            fingerprint=claim.fingerprint,
            state=state,
            decided_at=int(self._clock.now() * 1000),
        )
        standing = self._verdicts.settle(verdict)
        if claim.generation > 1 and self._deleted(claim.identity, claim.generation - 1):
            bury(self._store, claim.identity, verdict.decided_at)
            return self._verdicts.read(claim.identity, claim.generation) or standing
        return standing

    def _deleted(self, identity: Identity, generation: int) -> bool:
        verdict = self._verdicts.read(identity, generation)
        return verdict is not None and verdict.deleted
