"""What a record meets: the table of verdicts, as one pure function."""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from streamer.identity import Identity, Owner
from streamer.store.verdicts import Failed, Verdict


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a record says it is."""

    identity: Identity
    generation: int
    owner: Owner
    fingerprint: str
    expires_at: int | None
    """Milliseconds since the epoch."""


class Decision(Enum):
    WORK = auto()
    """Nobody decided this id yet: render and synthesize."""
    EXPIRED = auto()
    """Nobody decided it, and nobody wants it any longer."""
    EMIT = auto()
    """This record owns the verdict: emit what stands there, whatever the recipe is today."""
    DUPLICATE = auto()
    """Another record owns the same request, and will emit: skip."""
    CONFLICT = auto()
    """The id was used for another request: fail this record, not the id."""


def judge(claim: Claim, standing: Verdict | None, now: int) -> Decision:
    """`standing` is the verdict of the claim's generation; `now` in milliseconds since the epoch.

    Expiry is judged last: a verdict that stands is emitted however late its owner is read again.
    """
    if standing is None:
        return Decision.EXPIRED if claim.expires_at is not None and claim.expires_at <= now else Decision.WORK
    if standing.owner == claim.owner:
        return Decision.EMIT
    if standing.fingerprint == claim.fingerprint:
        return Decision.DUPLICATE
    return Decision.CONFLICT


def follows(claim: Claim, previous: Verdict | None) -> str | None:
    """Whether a redrive may follow generation - 1; None, or what is wrong with it."""
    failed = claim.generation - 1
    if previous is None:
        return f"generation {failed} of this id was never decided"
    if not isinstance(previous.state, Failed):
        return f"generation {failed} of this id did not fail"
    if previous.deleted:
        return f"generation {failed} of this id was deleted"
    if previous.fingerprint != claim.fingerprint:
        return f"generation {failed} of this id was another request"
    return None
