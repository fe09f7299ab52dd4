"""Every metric of streamer: its name, labels, unit and meaning. Seconds and bytes, never milliseconds.

Bridge and worker have a registry each; what one of them never touches stays at zero there.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds of one call to Kafka or the store, or of one webhook, which is answered within two."""


class Metrics:
    """All metrics, registered with `registry`: construct it once a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        self.bridge_requests = Counter(
            "streamer_bridge_requests",
            "Requests answered, those of a batch line by line, by outcome: accepted, skipped, conflict, limited (429), "
            "refused (the sender's fault), unknown (no answer of Kafka or the store in time), error (a fault of ours).",
            ["outcome"],
            registry=registry,
        )
        self.bridge_request_seconds = Histogram(
            "streamer_bridge_request_seconds",
            "From a webhook's complete body to its answer.",
            buckets=_CALL_BUCKETS,
            registry=registry,
        )
        self.bridge_in_flight = Gauge(
            "streamer_bridge_in_flight", "Ids on their way through the bridge, not answered yet.", registry=registry
        )
        self.publish_seconds = Histogram(
            "streamer_publish_seconds",
            "From handing a request to the client until all in-sync replicas had it, or it was given up.",
            buckets=_CALL_BUCKETS,
            registry=registry,
        )

        self.received = Counter("streamer_records_received", "Records read from the request topic.", registry=registry)
        self.results = Counter(
            "streamer_results",
            "Results in committed transactions, by topic; code is the failure's, or `ok`.",
            ["topic", "code"],
            registry=registry,
        )
        self.duplicates = Counter(
            "streamer_duplicates_skipped", "Records skipped: another record owns the same request.", registry=registry
        )
        self.held_back = Gauge(
            "streamer_held_back", "Records that wait because their id is in flight in this worker.", registry=registry
        )
        self.in_flight_cost = Gauge(
            "streamer_in_flight_cost", "Estimated speech tokens admitted and not durable yet.", registry=registry
        )
        self.paused = Gauge("streamer_paused", "1 while partitions are paused for lack of room.", registry=registry)

        self.engine_seconds = Counter(
            "streamer_engine_seconds",
            "Time spent in the engine's steps; against audio seconds it is the real-time factor.",
            registry=registry,
        )
        self.audio_seconds = Counter("streamer_audio_seconds", "Audio synthesized.", registry=registry)
        self.speech_rejected = Counter(
            "streamer_speech_rejected",
            "Speech that verification rejected, first tries included, by the bound that it broke.",
            ["measure"],
            registry=registry,
        )

        self.store_retries = Counter(
            "streamer_store_retries", "Calls repeated because the store was unavailable.", registry=registry
        )
        self.store_seconds = Histogram(
            "streamer_store_seconds",
            "One job of the worker's pool, by operation: look_up, keep_speech (with verification and encoding), "
            "keep_failure, load_schema (of the Schema Registry), read_attempts, note_attempts and clear_attempts (what "
            "is under way, noted before it enters the engine).",
            ["operation"],
            buckets=_CALL_BUCKETS,
            registry=registry,
        )
        self.registry_retries = Counter(
            "streamer_registry_retries",
            "Schemas asked for again because the Schema Registry was unavailable.",
            registry=registry,
        )

        self.transactions = Counter(
            "streamer_transactions",
            "Transactions ended, by outcome: committed, aborted, metadata_refused, unknown.",
            ["outcome"],
            registry=registry,
        )
        self.transaction_seconds = Histogram(
            "streamer_transaction_seconds",
            "From begin to the end of the commit.",
            buckets=_CALL_BUCKETS,
            registry=registry,
        )
        self.rebalances = Counter(
            "streamer_rebalances",
            "Partitions that came or went, by kind: assigned, revoked, lost.",
            ["kind"],
            registry=registry,
        )
        self.rewinds = Counter(
            "streamer_rewinds",
            "Returns to committed(): after an outcome that is unknown, or where retention overtook a replay.",
            registry=registry,
        )
