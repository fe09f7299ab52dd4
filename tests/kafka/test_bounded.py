from __future__ import annotations

from streamer.clock import ManualClock
from streamer.kafka.base import Message, Partition
from streamer.kafka.bounded import BoundedReader
from streamer.kafka.memory import MemoryCluster


def test_what_comes_behind_the_ends_is_not_read() -> None:
    cluster = MemoryCluster(ManualClock())
    cluster.create_topic("t", 2)
    zero, one = Partition("t", 0), Partition("t", 1)

    def write(*values: bytes) -> None:
        for value in values:
            cluster.append(Message("t", None, value, partition=0))

    write(b"a", b"b")
    broker = cluster.broker()
    ends = broker.admin().ends([zero, one], 1.0)
    reader = BoundedReader(broker.reader_from({zero: 0, one: 0}), ends)
    assert not reader.at_end()
    write(b"late")
    assert not reader.has_read({zero: 3})
    values = []
    while not reader.at_end():
        values += [record.value for record in reader.poll(10, 0.1)]
    assert values == [b"a", b"b"]
    write(b"later")
    assert reader.poll(10, 0.1) == []
    assert reader.at_end()
    assert reader.has_read({zero: 4})
    reader.close()
