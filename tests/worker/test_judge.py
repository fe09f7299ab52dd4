from __future__ import annotations

import pytest

from streamer.identity import Identity, Owner
from streamer.records import Audio, Timings
from streamer.store.verdicts import Completed, Failed, Recipe, Verdict
from streamer.worker.judge import Claim, Decision, follows, judge

NOW = 1_000
ME, OTHER = (Owner(cluster="c", topic="t", partition=0, offset=offset) for offset in (7, 8))
FAILED = Failed(code="synthesis_failed", message="m")
COMPLETED = Completed(
    audio=Audio(uri="u", format="wav", sample_rate=1, frames=1, duration=1, bytes=1, sha256="", pcm_sha256=""),
    recipe=Recipe(text="", voice="", voice_hash="", engine="", revision="", seed=0),
    timings=Timings(queued=0, synthesis=0, durable=0),
)


def claim(expires_at: int | None = None, generation: int = 1, owner: Owner = ME) -> Claim:
    return Claim(
        identity=Identity("shop", "a"), generation=generation, owner=owner, fingerprint="f", expires_at=expires_at
    )


def verdict(owner: Owner = ME, fingerprint: str = "f", state: Completed | Failed = FAILED) -> Verdict:
    return Verdict(
        identity=Identity("shop", "a"), generation=1, owner=owner, fingerprint=fingerprint, state=state, decided_at=NOW
    )


@pytest.mark.parametrize(
    ("expires_at", "decision"),
    [(None, Decision.WORK), (NOW + 1, Decision.WORK), (NOW, Decision.EXPIRED), (0, Decision.EXPIRED)],
)
def test_without_a_verdict_only_expiry_counts(expires_at: int | None, decision: Decision) -> None:
    assert judge(claim(expires_at), None, NOW) is decision


@pytest.mark.parametrize("expires_at", [None, 0])
@pytest.mark.parametrize("state", [COMPLETED, FAILED])
@pytest.mark.parametrize(
    ("owner", "fingerprint", "decision"),
    [
        (ME, "f", Decision.EMIT),
        (ME, "another", Decision.EMIT),
        (OTHER, "f", Decision.DUPLICATE),
        (OTHER, "another", Decision.CONFLICT),
    ],
)
def test_a_verdict_counts_before_expiry(
    owner: Owner, fingerprint: str, decision: Decision, state: Completed | Failed, expires_at: int | None
) -> None:
    assert judge(claim(expires_at), verdict(owner, fingerprint, state), NOW) is decision


@pytest.mark.parametrize("field", ["cluster", "topic", "partition", "offset"])
def test_every_part_of_the_owner_counts(field: str) -> None:
    parts = {"cluster": "c", "topic": "t", "partition": 0, "offset": 7}
    parts[field] = 9 if isinstance(parts[field], int) else "x"
    other = Owner(**parts)  # type: ignore[arg-type]
    assert judge(claim(), verdict(other), NOW) is Decision.DUPLICATE


def test_a_redrive_follows_a_failure_of_its_request() -> None:
    assert follows(claim(generation=2), verdict(OTHER)) is None


@pytest.mark.parametrize(
    ("previous", "problem"),
    [
        (None, "generation 2 of this id was never decided"),
        (verdict(state=COMPLETED), "generation 2 of this id did not fail"),
        (verdict(fingerprint="another"), "generation 2 of this id was another request"),
    ],
)
def test_a_redrive_of_anything_else_says_what(previous: Verdict | None, problem: str) -> None:
    assert follows(claim(generation=3), previous) == problem
