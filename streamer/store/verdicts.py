"""Verdicts: which record may emit the result of an id, and which result.

`<hash(source, id)>/verdict-<n>.json` is written put-if-absent and never changes, but for `streamer delete`, which puts
a tombstone there. It proves an attempt, not a commit: its owner may die before the transaction, and then emits what
stands here when it is read again.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streamer.errors import StoreRejected
from streamer.identity import Identity, Owner
from streamer.records import Audio, FailureCode, Timings
from streamer.store.base import Store

_VERSION = 1


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How the audio was made. Recorded, and never part of who a request is."""

    text: str
    voice: str
    voice_hash: str
    engine: str
    revision: str
    seed: int
    """The one that was used: the request's, or the next where verification rejected what that made."""
    template: str = ""
    """Hash of the rule that made the text; empty where the request brought its text along."""
    bounds: str = ""
    """Hash of the bounds that verification found the speech within (engines.base.SpeechBounds); empty: unverified."""
    encoder: str = ""
    """Version of what made the file of the samples (store.encoding.version); empty in older verdicts."""


class Completed(msgspec.Struct, frozen=True, kw_only=True, tag="completed"):
    audio: Audio
    recipe: Recipe
    timings: Timings
    output_name: str | None = None
    """The request's: what a download is called."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    code: str
    message: str
    attempts: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    version: int = _VERSION
    identity: Identity
    generation: int
    owner: Owner
    fingerprint: str
    state: Completed | Failed
    decided_at: int
    """Milliseconds since the epoch."""
    run: str = ""
    """The replay that promoted this audio; empty: the owner's own attempt."""

    @property
    def deleted(self) -> bool:
        """It is a tombstone: owner and fingerprint of what was decided, and nothing of what was said."""
        return isinstance(self.state, Failed) and self.state.code == FailureCode.DELETED


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Verdict)


class Verdicts:
    """Reads and writes verdicts in a store. Thread safe. Errors: those of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, identity: Identity, generation: int) -> Verdict | None:
        data = self._store.get(_key(identity.folder, generation))
        return None if data is None else _decode(_key(identity.folder, generation), data)

    def settle(self, verdict: Verdict) -> Verdict:
        """Put it if none stands, and read back the one that stands: this one or an earlier one."""
        key = _key(verdict.identity.folder, verdict.generation)
        data = _ENCODER.encode(verdict)
        self._store.put(key, data)
        standing = self._store.get(key)
        if standing == data:
            return verdict
        if standing is None:
            raise StoreRejected(f"{key} vanished right after it was written; is something deleting from the store?")
        return _decode(key, standing)

    def bury(self, verdict: Verdict, now: int) -> None:
        """Put a tombstone in its place. `now` in milliseconds since the epoch."""
        state = Failed(code=FailureCode.DELETED, message="it was deleted by `streamer delete`")
        tombstone = msgspec.structs.replace(verdict, state=state, decided_at=now)
        self._store.replace(_key(verdict.identity.folder, verdict.generation), _ENCODER.encode(tombstone))

    def absent(self, identity: Identity) -> bool:
        """See Store.absent: True where surely nobody decided this identity."""
        return self._store.absent(_key(identity.folder, 1))

    def latest(self, identity: Identity) -> Verdict | None:
        """The verdict of the highest generation: the state of the job, for readers. The worker never asks for it.

        Who is deleted is deleted in all generations: what stands above a tombstone was written by one that died before
        it could see that, and is buried when its record is read again."""
        first = self.read(identity, 1)
        if first is None or first.deleted:
            return first  # most are new: no listing for them
        last = max(self.generations(identity), default=1)
        return first if last == 1 else self.read(identity, last)

    def within(self, folder: str) -> list[Verdict]:
        """All that stand in an identity's folder, in no order."""
        return self.at(self._store.list(f"{folder}/"))

    def at(self, keys: Iterable[str]) -> list[Verdict]:
        """Those of the keys that are verdicts."""
        found = []
        for key in keys:
            if generation_of(key) and (data := self._store.get(key)) is not None:
                found.append(_decode(key, data))
        return found

    def generations(self, identity: Identity) -> list[int]:
        """Which have a verdict, ascending."""
        return sorted(number for key in self._store.list(f"{identity.folder}/") if (number := generation_of(key)))


def generation_of(key: str) -> int | None:
    """Which generation's verdict a key is; None: it is something else."""
    number = key.rpartition("/")[2].removeprefix("verdict-").removesuffix(".json")
    return int(number) if number.isascii() and number.isdigit() and key.endswith(f"/verdict-{number}.json") else None


def audio_key(identity: Identity, audio: Audio) -> str:
    """Where the file lies; its URI says the same in the words of its store."""
    return f"{identity.folder}/{audio.uri.rpartition('/')[2]}"


def _key(folder: str, generation: int) -> str:
    return f"{folder}/verdict-{generation}.json"


def _decode(key: str, data: bytes) -> Verdict:
    try:
        verdict = _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise StoreRejected(
            f"{key} is an unreadable verdict ({error}); restore it, or move it away if its result may be repeated"
        ) from error
    if verdict.version > _VERSION:
        raise StoreRejected(f"{key} has version {verdict.version}, newer than {_VERSION}: update this streamer")
    return verdict
