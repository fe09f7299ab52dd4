"""Whether Kafka answers, told with its address."""

from __future__ import annotations

from streamer.errors import BrokerUnreachable
from streamer.kafka.base import Admin


def cluster(admin: Admin, servers: str, timeout: float) -> str:
    """The id of the cluster at `servers`. Errors: BrokerUnreachable, after `timeout` seconds, with what to do."""
    try:
        return admin.cluster_id(timeout)
    except BrokerUnreachable as error:
        raise BrokerUnreachable(
            f"{servers} does not answer ({error}): start it, or set kafka.bootstrap_servers "
            "(environment: STREAMER_KAFKA__BOOTSTRAP_SERVERS) and, where it asks for TLS or SASL, kafka.properties"
        ) from error
