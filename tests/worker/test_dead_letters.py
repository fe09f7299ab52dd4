from __future__ import annotations

import pytest

from streamer.errors import DeadLetterLimit
from streamer.worker.dead_letters import DeadLetters


def test_below_the_share_nothing_happens() -> None:
    letters = DeadLetters(10, 0.6)
    for _ in range(100):
        for _ in range(4):
            letters.failed("x")
        for _ in range(6):
            letters.spoken()


def test_at_the_share_it_stops_before_the_verdict() -> None:
    letters = DeadLetters(10, 0.6)
    for _ in range(5):
        letters.failed("no such weights")
    with pytest.raises(DeadLetterLimit) as caught:
        letters.failed("no such weights")
    assert "6 of the last 6 records failed" in str(caught.value)
    assert "no such weights" in str(caught.value)
    assert "worker.dead_letter_share" in str(caught.value)


def test_it_stands_by_what_it_said() -> None:
    """Caught by somebody, it must not let the next one through."""
    letters = DeadLetters(10, 0.5)
    for _ in range(4):
        letters.failed("x")
    for _ in range(3):
        with pytest.raises(DeadLetterLimit):
            letters.failed("x")


def test_old_failures_are_forgotten() -> None:
    letters = DeadLetters(10, 0.6)
    for _ in range(5):
        letters.failed("x")
    for _ in range(10):
        letters.spoken()
    for _ in range(5):
        letters.failed("x")
    with pytest.raises(DeadLetterLimit):
        letters.failed("x")


def test_the_window_is_as_long_as_it_says() -> None:
    letters = DeadLetters(10, 0.6)
    for _ in range(5):
        letters.failed("x")
    for _ in range(5):
        letters.spoken()
    letters.failed("x")  # 5 of the last 10: the first one is the eleventh


def test_what_had_been_counted_as_spoken_is_counted_as_failed_instead() -> None:
    limit = DeadLetters(10, 0.5)
    for _ in range(4):
        limit.spoken()
        limit.failed("rejected", spoken=True)
    for _ in range(5):
        limit.spoken()
    with pytest.raises(DeadLetterLimit, match="5 of the last 9 records"):
        limit.failed("rejected", spoken=True)
    fresh = DeadLetters(10, 0.5)
    fresh.failed("of what left the window as spoken long ago", spoken=True)
