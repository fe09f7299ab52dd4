"""The configuration of the one-node broker: KRaft, everything replicated once."""

from __future__ import annotations

from pathlib import Path

from streamer.embedded.ports import HOST

_FIXED = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT

default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=16777216

group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.session.timeout.ms=1000
group.consumer.heartbeat.interval.ms=1000
group.consumer.min.heartbeat.interval.ms=500
"""
# Left alone on purpose: broker.session.timeout.ms (shortened, the broker fenced itself under load) and
# transaction.abort.timed.out.transaction.cleanup.interval.ms (shortened, it went with duplicates after SIGKILL).

LOGGING = """\
status=warn
appenders=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS} %p %m (%c{1})%n
rootLogger.level=info
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=console
loggers=config
logger.config.name=org.apache.kafka.common.config
logger.config.level=warn
"""
"""Everything goes to the console, which is the broker's log file; only the list of all settings is left out."""


def server(port: int, controller: int, logs: Path) -> str:
    """server.properties; `logs` is the folder of the partitions."""
    return (
        _FIXED
        + f"""
listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}
advertised.listeners=PLAINTEXT://{HOST}:{port}
controller.quorum.voters=1@{HOST}:{controller}
log.dirs={_escaped(logs)}
"""
    )


def _escaped(path: Path) -> str:
    """As a Java properties file reads it."""
    return str(path).replace("\\", "\\\\")
