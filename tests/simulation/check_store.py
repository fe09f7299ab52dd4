"""What became of everything that was ever decided, checked on the store alone."""

from __future__ import annotations

import msgspec

from streamer.identity import Identity
from streamer.store.verdicts import Verdict, Verdicts
from tests.simulation.world import World


def check_store(world: World) -> list[str]:
    """What is wrong, a line each."""
    return _verdicts(world) + _deletions(world)


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
