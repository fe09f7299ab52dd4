from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.embedded import broker as module
from streamer.embedded import jars, java, ports
from streamer.embedded.broker import EmbeddedKafka, telling
from streamer.errors import EmbeddedError
from streamer.kafka.base import Broker, Message
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import logger
from streamer.settings import Kafka
from tests.conftest import missing

pytestmark = pytest.mark.broker


@pytest.fixture(scope="session", autouse=True)
def _can_run() -> None:
    try:
        java.find()
        jars.classpath()
    except EmbeddedError as error:
        missing(str(error))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., EmbeddedKafka]]:
    """Makes brokers and stops them."""
    made: list[EmbeddedKafka] = []

    def one(data: Path = tmp_path / "kafka", port: int | None = 0) -> EmbeddedKafka:
        made.append(EmbeddedKafka(data, port))
        return made[-1]

    yield one
    for broker in made:
        broker.stop()


def _client(broker: EmbeddedKafka) -> Broker:
    return ConfluentBroker(Kafka(bootstrap_servers=broker.bootstrap_servers, single_broker=True), logger("error"))


def _dies(pid: int) -> bool:
    for _ in range(200):
        if not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes():
            return True  # gone, or waiting to be reaped
        time.sleep(0.05)
    return False


def test_committed_records_outlive_sigkill_and_restart_on_the_same_port(make: Callable[..., EmbeddedKafka]) -> None:
    broker = make()
    broker.start()
    broker.ready()
    servers = broker.bootstrap_servers
    client = _client(broker)
    client.admin().create_topic("kept", 1, 1, {}, 10.0)
    producer = client.producer("t")
    producer.init(20.0)
    producer.begin()
    producer.produce(Message("kept", b"key", b"value", partition=0))
    producer.commit(20.0)
    broker.kill()
    assert broker.pid is None
    broker.start()
    broker.ready()
    assert broker.bootstrap_servers == servers
    reader = _client(broker).reader(["kept"], from_beginning=True)
    values = []
    while not reader.at_end():
        values += [record.value for record in reader.poll(10, 0.1)]
    reader.close()
    assert values == [b"value"]
    broker.stop()
    assert not ports.accepts(broker.port)
    assert "can be skipped" not in broker.log.read_text()  # KAFKA-20734: markers that are never written


def test_a_second_broker_is_refused(
    make: Callable[..., EmbeddedKafka], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOCK_PATIENCE", 0.2)
    broker = make()
    broker.start()
    broker.ready()
    with pytest.raises(EmbeddedError, match="another embedded Kafka runs on"):
        make().start()
    with pytest.raises(EmbeddedError, match=f"port {broker.port} .* is in use"):
        make(tmp_path / "other", broker.port).start()
    assert broker.pid is not None
    assert os.getsid(broker.pid) == broker.pid  # a Ctrl-C in this terminal does not reach it


def test_the_last_port_is_used_again_where_it_is_free(make: Callable[..., EmbeddedKafka]) -> None:
    first = make()
    first.start()
    port = first.port
    first.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((ports.HOST, port))
        taken.listen()
        with pytest.raises(EmbeddedError, match=f"port {port} .* --port 0"):
            make(port=None).start()
    again = make(port=None)
    again.start()
    assert again.port == port


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from streamer.embedded.broker import EmbeddedKafka; "
        "broker = EmbeddedKafka(pathlib.Path(sys.argv[1]), 0); broker.start(); print(broker.pid, flush=True); "
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "kafka")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        if parent.stdout is None:
            raise AssertionError("no pipe")
        pid = int(parent.stdout.readline())
        parent.kill()
    assert _dies(pid)


def test_a_broker_that_dies_says_why(make: Callable[..., EmbeddedKafka]) -> None:
    broker = make()
    broker.start()
    broker.stop()
    (broker.data / "logs" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
    broker.start()
    with pytest.raises(EmbeddedError) as caught:
        broker.ready()
    assert "ended by itself" in str(caught.value)
    assert str(broker.log) in str(caught.value)
    assert "Stored node id 7" in str(caught.value)


def test_a_killed_broker_ends_the_wait(make: Callable[..., EmbeddedKafka]) -> None:
    broker = make()
    broker.start()
    broker.ready()
    if broker.pid is None:
        raise AssertionError("it does not run")
    os.kill(broker.pid, 9)
    with pytest.raises(EmbeddedError, match="ended by itself"):
        broker.wait()


def test_a_full_disk_is_told(make: Callable[..., EmbeddedKafka], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_FREE", 2**62)
    with pytest.raises(EmbeddedError, match="is full"):
        make().start()


def test_a_folder_that_cannot_be_made_is_told(make: Callable[..., EmbeddedKafka], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be used"):
        make(tmp_path / "file" / "kafka").start()


def test_without_java_nothing_is_begun(tmp_path: Path) -> None:
    def find() -> Path:
        return java.choose([], None)

    with pytest.raises(EmbeddedError, match="needs Java 17"):
        EmbeddedKafka(tmp_path / "kafka", 0, find_java=find).start()
    assert not (tmp_path / "kafka").exists()


def test_damaged_memory_is_told(make: Callable[..., EmbeddedKafka], tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "broker.json").write_text("{")
    with pytest.raises(EmbeddedError, match=r"broker\.json is damaged"):
        make().start()


def test_waiting_for_what_was_not_started_is_an_error(make: Callable[..., EmbeddedKafka]) -> None:
    with pytest.raises(EmbeddedError, match="was not started"):
        make().ready()


def test_the_telling_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "broker.log"
    log.write_text("INFO fine\nERROR first\nINFO fine\njava.io.IOException: No space left on device\nINFO fine\n")
    assert telling(log) == ["ERROR first", "java.io.IOException: No space left on device"]
    log.write_text("\n".join(f"INFO {number}" for number in range(20)))
    assert telling(log, 2) == ["INFO 18", "INFO 19"]
    assert "No such file" in telling(tmp_path / "none")[0]
