"""How many requests of one source are taken."""

from __future__ import annotations

import math

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from streamer.clock import Clock
from streamer.errors import ConfigurationError


def parsed(rate: str) -> RateLimitItem:
    """Errors: ConfigurationError for what is no rate."""
    try:
        item = parse(rate)
    except ValueError as error:
        raise ConfigurationError(
            [f'bridge.rate (environment: STREAMER_BRIDGE__RATE) is {rate!r}: write it as "100/second" or "6000/minute"']
        ) from error
    if item.amount < 1:
        raise ConfigurationError([f"bridge.rate is {rate!r}, which takes nothing; leave it empty to take everything"])
    return item


class Rate:
    """Counts each source by itself, in this process, in windows of fixed length; what is over is forgotten."""

    def __init__(self, rate: str, clock: Clock) -> None:
        """Errors: as `parsed`."""
        self._item, self._clock = parsed(rate), clock
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def exceeded(self, source: str) -> int | None:
        """Count one request; None where it is taken, else the seconds until the next one is."""
        if self._limiter.hit(self._item, source):
            return None
        reset = self._limiter.get_window_stats(self._item, source).reset_time
        return max(1, math.ceil(reset - self._clock.now()))

    def __str__(self) -> str:
        return str(self._item)
