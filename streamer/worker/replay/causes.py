"""Causes: why two audios of one request are not the same bytes, as far as their recipes tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import takewhile
from typing import NamedTuple, Protocol

from streamer.records import Audio
from streamer.store.verdicts import Recipe

_SHOWN = 60
"""Characters of a text that are shown."""
_BEFORE = 20
"""Of them before the first that differs."""
_HASH = 8
"""Characters of a hash that are shown."""


class Reason(StrEnum):
    """What schemas/speech_replayed.avsc lists as `reasons`."""

    ENGINE = "engine"
    """Another one, or another revision of it."""
    VOICE = "voice"
    """Another one, or the same preset with other settings."""
    TEXT = "text"
    TEMPLATE = "template"
    """The rule was changed, and with it text or voice."""
    SEED = "seed"
    BOUNDS = "bounds"
    """Verification has other bounds, and rejected another seed than before."""
    FORMAT = "format"
    """The configured format, sample rate or extension: the request names none."""
    ENCODER = "encoder"
    """Its version; empty in older verdicts."""
    NONDETERMINISM = "nondeterminism"
    """Nothing else changed."""
    MISSING = "missing"
    """The current audio's file is gone or cut: whatever is made now, that is not what stands."""

    FAILED = "failed"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    DELETED = "deleted"
    UNDECIDED = "undecided"
    UNDECODABLE = "undecodable"


class Cause(NamedTuple):
    reason: Reason
    message: str
    """For a person, with both values."""


class Made(Protocol):
    """An audio and how it was made."""

    @property
    def audio(self) -> Audio: ...
    @property
    def recipe(self) -> Recipe: ...


def causes(before: Made, now: Made) -> Sequence[Cause]:
    """Of two that are not the same bytes: all that explains it, at least nondeterminism.

    What changed without having changed anything explains nothing: a template that makes the same text in the same
    voice, bounds that took the same seed.
    """
    found = list(_changes(before, now))
    reasons = {cause.reason for cause in found}
    if not reasons & {Reason.TEXT, Reason.VOICE}:
        found = [cause for cause in found if cause.reason is not Reason.TEMPLATE]
    if Reason.SEED not in reasons:
        found = [cause for cause in found if cause.reason is not Reason.BOUNDS]
    return found or [
        Cause(Reason.NONDETERMINISM, "nothing that is recorded changed: this engine, or its encoder, does not repeat")
    ]


def _changes(before: Made, now: Made) -> Iterator[Cause]:
    old, new = before.recipe, now.recipe
    pairs = [
        (Reason.ENGINE, f"{old.engine} {old.revision}", f"{new.engine} {new.revision}"),
        (Reason.VOICE, old.voice_hash, new.voice_hash),
        (Reason.TEMPLATE, old.template, new.template),
        (Reason.TEXT, old.text, new.text),
        (Reason.SEED, str(old.seed), str(new.seed)),
        (Reason.FORMAT, _file(before.audio), _file(now.audio)),
        (Reason.BOUNDS, old.bounds, new.bounds),
        (Reason.ENCODER, old.encoder, new.encoder),
    ]
    for reason, was, is_ in pairs:
        if was == is_:
            continue
        if reason is Reason.TEXT:
            was, is_ = _excerpts(was, is_)
        elif reason is Reason.VOICE:
            was, is_ = f"{old.voice} {was[:_HASH]}", f"{new.voice} {is_[:_HASH]}"
        elif reason in (Reason.TEMPLATE, Reason.BOUNDS):
            was, is_ = was[:_HASH], is_[:_HASH]
        yield Cause(reason, f"{reason}: {was or 'none'} → {is_ or 'none'}")


def _file(audio: Audio) -> str:
    return f"{audio.format} at {audio.sample_rate} Hz in .{audio.uri.rpartition('.')[2]}"


def _excerpts(was: str, is_: str) -> tuple[str, str]:
    """Of both, what stands around the first character that differs."""
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(was, is_, strict=False)))
    start = max(0, alike - _BEFORE)
    return _excerpt(was, start), _excerpt(is_, start)


def _excerpt(text: str, start: int) -> str:
    end = start + _SHOWN
    return repr(f"{'…' * (start > 0)}{text[start:end]}{'…' * (end < len(text))}")
