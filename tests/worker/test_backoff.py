from __future__ import annotations

from streamer.clock import ManualClock
from streamer.worker.backoff import Backoff


def test_waits_grow_to_a_limit_and_end_when_something_went_well() -> None:
    clock = ManualClock()
    backoff: Backoff[str] = Backoff(clock)
    seconds = []
    for _ in range(8):
        seconds.append(backoff.wait("a"))
        assert backoff.wait("b") == 0.0
        clock.advance(seconds[-1] - 0.01)
        assert backoff.due() == []
        clock.advance(0.02)
        assert backoff.due() == ["a", "b"]
    assert seconds == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert (backoff.active, backoff.waiting) == (True, False)
    backoff.went_well()
    assert not backoff.active
    assert backoff.wait("c") == 0.1


def test_one_success_does_not_end_the_wait_of_others() -> None:
    backoff: Backoff[str] = Backoff(ManualClock())
    backoff.wait("a")
    backoff.went_well()
    assert backoff.active
