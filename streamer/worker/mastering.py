"""Mastering: from the engine's samples to the one audio file that is kept of them, and how it was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from streamer.engines.base import Profile, Samples
from streamer.formats import chosen
from streamer.records import Audio, Timings
from streamer.store.base import Store
from streamer.store.verdicts import Completed, Recipe
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


class Master(msgspec.Struct, frozen=True, kw_only=True):
    """An audio file, in memory as yet."""

    key: str
    data: bytes
    download_name: str
    audio: Audio
    """Its URI says where `write` puts it."""
    recipe: Recipe

    def write(self, store: Store) -> None:
        """Also where it exists, so that its age restarts, and `streamer gc` does not take it before its verdict
        stands. Errors: those of the store."""
        store.replace(self.key, self.data, self.download_name)

    def completed(self, task: Task, durable: float) -> Completed:
        """The verdict's state. `durable`: seconds that making and writing the file took."""
        timings = Timings(
            queued=max(0.0, task.started_at - task.record.timestamp / 1000),
            synthesis=max(0.0, task.spoken_at - task.started_at),
            durable=durable,
        )
        output_name = task.request.output_name if task.request else None
        return Completed(audio=self.audio, recipe=self.recipe, timings=timings, output_name=output_name)


class Mastering:
    """Thread safe."""

    def __init__(
        self,
        uri: Callable[[str], str],
        encode: Encode,
        profile: Profile,
        *,
        format: str,
        sample_rate: int,
        encoder: str = "",
    ) -> None:
        """`uri`: the store's. `encoder`: the version of `encode`, for the recipe. `format` and `sample_rate` (Hz):
        where none is named."""
        self._uri, self._encode, self._profile = uri, encode, profile
        self._format, self._sample_rate, self._encoder = format, sample_rate, encoder
        self._bounds = profile.bounds.hash if profile.bounds else ""

    def computing(self, samples: Samples) -> float:
        """Seconds that `master` may take."""
        return _COMPUTING * len(samples) / self._profile.sample_rate

    def master(self, task: Task, samples: Samples) -> Master | Flaw:
        """The file; or why the speech does not count. Errors: RequestFailed, as those of formats and encoding."""
        request, utterance = task.request, task.utterance
        if request is None or utterance is None:
            raise ValueError("a task without an utterance was spoken")
        flaw = flaw_of(samples, utterance, self._profile)
        if flaw is not None:
            return flaw
        format, rate = chosen(request.format, request.sample_rate, self._format, self._sample_rate)
        encoded = self._encode(samples, self._profile.sample_rate, format, rate)
        key = f"{task.claim.identity.folder}/{encoded.sha256}.{encoded.extension}"
        audio = Audio(
            uri=self._uri(key),
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
            revision=self._profile.revision if task.revision is None else task.revision,
            seed=utterance.seed,
            template=task.template,
            bounds=self._bounds,
            encoder=self._encoder,
        )
        name = request.output_name or task.claim.identity.id
        return Master(key=key, data=encoded.data, download_name=name, audio=audio, recipe=recipe)
