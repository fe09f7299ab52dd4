"""A bridge that is killed in the middle of requests, before clients that send the same id until it is answered."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from streamer.records import SpeechRequest
from tests.faults.cluster import PATIENCE, Deployment, until
from tests.faults.promise import check
from tests.faults.workers import Worker, state

pytestmark = pytest.mark.broker

_KILLS = 20
_CLIENTS = 8
_LIFE = 40
"""Answers that a bridge gives, more or less, before it is killed."""


class Clients:
    """Each on a kept connection of its own, one request after another, an id again and again until it is taken."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._ended = False
        self.serving = threading.Event()
        self.requests: dict[str, SpeechRequest] = {}
        self.answered = self.skipped = self.cut = self.unknown = 0
        """Requests that were taken; of these, that were finished already; that lost their connection once they were
        sent; that were answered 503."""
        self.waiting = 0
        self.faults: list[str] = []
        self._threads = [threading.Thread(target=self._run, name=f"client-{n}", daemon=True) for n in range(_CLIENTS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let each finish what it has begun."""
        self._ended = True
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread.name} still waits for an answer"

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE) as client:
            while not self._ended:
                number = next(self._numbers)
                request = SpeechRequest(
                    source="shop", id=f"id/{number}", text=f"order {number}.", requested_at=1_700_000_000_000 + number
                )
                self.requests[request.id] = request
                while not self._taken(client, request):
                    self.serving.wait(PATIENCE)

    def _taken(self, client: httpx.Client, request: SpeechRequest) -> bool:
        body = {"source": "shop", "id": request.id, "text": request.text, "requested_at": request.requested_at}
        self._count("waiting", 1)
        try:
            response = client.post("/webhook/tts", json=body)
        except httpx.ConnectError:
            return False
        except httpx.TransportError:
            self._count("cut", 1)
            return False
        finally:
            self._count("waiting", -1)
        if response.status_code in (HTTPStatus.ACCEPTED, HTTPStatus.OK) and response.json()["task_id"] == request.id:
            self._count("answered", 1)
            self._count("skipped", response.status_code == HTTPStatus.OK)
            return True
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and response.json()["task_id"] == request.id:
            self._count("unknown", 1)
            return False
        self.faults.append(f"{response.status_code} {response.text}")
        return True

    def _count(self, name: str, by: int) -> None:
        with self._lock:
            setattr(self, name, getattr(self, name) + by)


def test_every_id_once_through_kills_of_the_bridge(
    kafka: str, unique: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(11)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Deployment(kafka, tmp_path, f"{unique('bridge')}-", WORKER__DRAIN_TIMEOUT="60") as deployment:
        deployment.topics()
        worker = deployment.worker("a").ready()
        clients = Clients(f"http://127.0.0.1:{port}")
        cut = []
        for number in range(_KILLS):
            bridge = start(deployment, clients, port)
            answers(clients, _CLIENTS + chance.randint(1, _LIFE))
            # What is sent again is in Kafka twice where the worker slept meanwhile; else it is decided already.
            signal_to(worker, signal.SIGSTOP if number % 2 else signal.SIGCONT)
            cut.append(kill(bridge, clients))
        start(deployment, clients, port)
        signal_to(worker, signal.SIGCONT)
        clients.end()
        assert clients.faults == []
        until(deployment.finished, "everything is committed")
        audios = check(deployment, clients.requests)
        sent = len(deployment.records(deployment.kafka.topics.requests))
    assert audios == len(clients.requests) == clients.answered
    # On a busy machine one of them may just not have sent its next one yet.
    assert min(cut) >= _CLIENTS // 2, "each kill is to strike requests of most clients"
    assert sum(cut) >= 0.9 * _CLIENTS * _KILLS, "kills are to strike a request of every client"
    told = (
        f"\n{_KILLS} SIGKILLs of the bridge cut {sum(cut)} requests of {_CLIENTS} clients; {audios} ids, each answered "
        f"and spoken once; sent again, {clients.skipped} were finished already, {sent - audios} came into Kafka twice; "
        f"{clients.unknown} times 503"
    )
    with capsys.disabled():
        print(told)


def start(deployment: Deployment, clients: Clients, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "streamer", "bridge", "--port", str(port)]
    process, log = deployment.process("bridge", command)

    def ready() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        return log.with_suffix(".out").read_text().startswith("ready ")

    until(ready, "the bridge listens")
    clients.serving.set()
    return process


def answers(clients: Clients, count: int) -> None:
    goal = clients.answered + count
    until(lambda: clients.answered >= goal, f"{count} more answers")


def signal_to(worker: Worker, number: signal.Signals) -> None:
    child = worker.child
    assert child is not None
    os.kill(child, number)


def kill(bridge: subprocess.Popen[bytes], clients: Clients) -> int:
    """Stopped first, and killed once every client waits for it: how many lost their answer."""
    before = clients.cut
    clients.serving.clear()
    os.kill(bridge.pid, signal.SIGSTOP)
    until(lambda: state(bridge.pid) == "T", "the bridge stands still")
    until(lambda: clients.waiting == _CLIENTS, "all clients wait for it")
    bridge.kill()
    bridge.wait()
    until(lambda: not clients.waiting, "its clients have seen it die")
    return clients.cut - before
