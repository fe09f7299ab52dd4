"""What anyone can read in the cluster's logs: committed records, decoded, and what groups committed."""

from __future__ import annotations

from streamer.kafka.base import Commit, Partition, Record
from streamer.kafka.memory import MemoryCluster
from streamer.kafka.memory_log import Log
from streamer.records import SpeechCompleted, SpeechFailed, SpeechReplayed
from streamer.wire.base import Codecs
from tests.simulation.workload import TOPIC

_ALL = 10_000
_RESULTS = ("tts.completed", "tts.failed", "tts.replayed")


class Topics:
    """Reads committed records only, as every consumer of the results does."""

    def __init__(self, cluster: MemoryCluster, codecs: Codecs) -> None:
        self._cluster, self._codecs = cluster, codecs

    def requests(self) -> list[Log]:
        return self._cluster.logs(TOPIC)

    def completed(self) -> list[SpeechCompleted]:
        return [self._codecs.completed.decode(record.value) for record in self._records("tts.completed")]

    def failed(self) -> list[SpeechFailed]:
        return [self._codecs.failed.decode(record.value) for record in self._records("tts.failed")]

    def replayed(self) -> list[SpeechReplayed]:
        return [self._codecs.replayed.decode(record.value) for record in self._records("tts.replayed")]

    def settled(self) -> bool:
        """No transaction is open: what died with one open hides what follows it, for a while."""
        logs = [log for topic in _RESULTS for log in self._cluster.logs(topic)]
        return all(log.stable == log.end for log in logs)

    def commits(self, group: str) -> dict[Partition, Commit]:
        return self._cluster.group(group).commits

    def _records(self, topic: str) -> list[Record]:
        return [record for log in self._cluster.logs(topic) for record in log.read(0, _ALL)[0]]
