"""What became of everything that was ever decided, checked on the store alone."""

from __future__ import annotations

import hashlib

import msgspec

from streamer.identity import Identity
from streamer.store.verdicts import Completed, Verdict, Verdicts
from tests.simulation.world import World


def check_store(world: World) -> list[str]:
    """What is wrong, a line each."""
    return _verdicts(world) + _audio(world) + _generations(world) + _deletions(world)


def _verdicts(world: World) -> list[str]:
    """Every verdict stands as it was put first; of a deleted id a tombstone stands, with its owner and fingerprint."""
    problems = []
    for key, data in world.store.decided.items():
        standing = world.store.get(key)
        first = msgspec.json.decode(data, type=Verdict)
        if standing is None:
            problems.append(f"{key} is gone")
            continue
        now = msgspec.json.decode(standing, type=Verdict)
        if not now.deleted and now != first:
            problems.append(f"{key} says something else than before")
        if now.deleted and first.identity not in world.deletions.done:
            problems.append(f"{key} was deleted, and nobody asked for that")
        if (now.owner, now.fingerprint, now.generation) != (first.owner, first.fingerprint, first.generation):
            problems.append(f"{key}: the tombstone has another owner or fingerprint")
    return problems


def _audio(world: World) -> list[str]:
    """Every file that a verdict names is there, and is what it says; and after a last gc no other is, so that nothing
    is left of what was deleted."""
    problems = []
    named = set()
    for key in world.store.decided:
        state = msgspec.json.decode(world.store.get(key) or b"", type=Verdict).state
        if isinstance(state, Completed):
            named.add(state.audio.uri.removeprefix("memory:///"))
            audio = world.store.get(state.audio.uri.removeprefix("memory:///"))
            if audio is None:
                problems.append(f"{key} names an audio that is gone")
            elif hashlib.sha256(audio).hexdigest() != state.audio.sha256:
                problems.append(f"{key}: its audio has another sha256")
    garbage = sorted(key for key in world.store.list("") if key.endswith(".wav") and key not in named)
    return problems + [f"{key} is named by no verdict, and gc left it" for key in garbage]


def _generations(world: World) -> list[str]:
    """A redrive's verdict follows one that failed, and a replay's one that completed, of the same owner and request."""
    problems = []
    verdicts = [msgspec.json.decode(data, type=Verdict) for data in world.store.decided.values()]
    by_job = {(verdict.identity, verdict.generation): verdict for verdict in verdicts}
    for (identity, generation), verdict in by_job.items():
        before = by_job.get((identity, generation - 1))
        if generation == 1:
            problems += [f"{identity}: generation 1 names run {verdict.run}"] if verdict.run else []
        elif before is None:
            problems.append(f"{identity}: generation {generation} follows nothing")
        elif isinstance(before.state, Completed) is not bool(verdict.run):
            problems.append(f"{identity}: generation {generation} of run {verdict.run!r} follows {before.state}")
        elif before.fingerprint != verdict.fingerprint or (verdict.run and before.owner != verdict.owner):
            problems.append(f"{identity}: generation {generation} has another owner or fingerprint than the one before")
    return problems


def _deletions(world: World) -> list[str]:
    return [
        f"{identity}: deleted, and a verdict stands"
        for identity, deletion in world.deletions.done.items()
        if deletion.decided and not all(verdict.deleted for verdict in _of(world, identity))
    ]


def _of(world: World, identity: Identity) -> list[Verdict]:
    verdicts = Verdicts(world.store)
    found = [verdicts.read(identity, generation) for generation in verdicts.generations(identity)]
    return [verdict for verdict in found if verdict is not None]
