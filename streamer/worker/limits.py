"""What the loop keeps to."""

from __future__ import annotations

from typing import NamedTuple

from streamer.settings import Settings

_AHEAD = 2
"""Engine capacities held at once: one in the engine, one being looked up or stored."""


class Limits(NamedTuple):
    """Seconds, counts and bytes; see settings.Worker."""

    capacity: int
    """Cost at which partitions are paused."""
    resume_share: float = 0.7
    window: int = 20_000
    poll_records: int = 500
    busy_poll: float = 0.005
    idle_poll: float = 0.1
    commit_interval: float = 0.1
    commit_results: int = 10_000
    commit_bytes: int = 32 * 1024 * 1024
    commit_timeout: float = 6.0
    revoke_timeout: float = 5.0
    committed_timeout: float = 1.0
    call_limit: float = 30.0


def limits(settings: Settings, capacity: int) -> Limits:
    worker = settings.worker
    return Limits(
        capacity=_AHEAD * capacity,
        resume_share=worker.resume_share,
        window=worker.window,
        poll_records=worker.poll_records,
        commit_interval=worker.commit_interval,
        commit_results=worker.commit_results,
        commit_bytes=worker.commit_bytes,
        # Well below the broker's own limit: a transaction that outlasts that is fenced, and looks like a second worker.
        commit_timeout=0.6 * settings.kafka.transaction_timeout,
        revoke_timeout=worker.revoke_timeout,
        call_limit=worker.call_limit,
    )
