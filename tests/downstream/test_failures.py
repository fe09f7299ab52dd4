from __future__ import annotations

import msgspec

from streamer.downstream.failures import Failures
from tests.downstream.test_follow import LOST


def failures(*failed: tuple[str, str, int], code: str | None = None, since: int = 0) -> Failures:
    found = Failures(code, since)
    for id_, what, at in failed:
        found.add(msgspec.structs.replace(LOST, id=id_, code=what, message=f"why {id_}", failed_at=at))
    return found


SOME = (("1", "expired", 30), ("2", "voice_unknown", 10), ("3", "expired", 10), ("4", "expired", 20))


def test_grouped_by_code_the_most_frequent_first() -> None:
    expired, voice = failures(*SOME).groups
    assert (expired.code, expired.count, expired.first_failed_at, expired.last_failed_at) == ("expired", 3, 10, 30)
    assert (expired.source, expired.id, expired.message) == ("shop", "1", "why 1")  # the latest, not the last read
    assert (voice.code, voice.count, voice.first_failed_at, voice.last_failed_at) == ("voice_unknown", 1, 10, 10)


def test_one_code_and_since_when() -> None:
    assert [(group.code, group.count) for group in failures(*SOME, code="expired", since=20).groups] == [("expired", 2)]
    assert failures(*SOME, since=31).groups == []
    assert failures().groups == []
