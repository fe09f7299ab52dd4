"""The promise with the store on a real S3 server: it is killed, it is spoiled, it is silent; workers are killed too."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.cluster import Deployment, until
from tests.faults.promise import check
from tests.faults.proxy import ALL, Fault, FaultProxy, chosen, clear
from tests.faults.storm import Storm
from tests.faults.test_kills import tone_requests, twice
from tests.store.s3server import S3Server

pytestmark = pytest.mark.broker

Unique = Callable[[str], str]
Capture = pytest.CaptureFixture[str]

_TIMEOUT = 2.0
"""Seconds, store.timeout."""
_BACKING_OFF = "store unavailable, backing off"


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(s3.port, clear, give_up=_TIMEOUT) as proxy:
        yield proxy


def deployed(kafka: str, folder: Path, name: str, endpoint: str, call_limit: float = 10) -> Deployment:
    return Deployment(
        kafka,
        folder,
        f"{name}-",
        STORE__URL=f"s3://streamer/{name}",
        STORE__ENDPOINT=endpoint,
        STORE__TIMEOUT=str(_TIMEOUT),
        ENGINE__TONE__COST_PER_CHARACTER="0.003",
        ENGINE__ATTEMPTS="3",
        KAFKA__SESSION_TIMEOUT="3",
        WORKER__DRAIN_TIMEOUT="60",
        WORKER__CALL_LIMIT=str(call_limit),
    )


def back_offs(storm: Storm) -> int:
    return sum(len(worker.journal.of(_BACKING_OFF)) for worker in storm.all)


def waits(storm: Storm) -> None:
    """Until a worker backs off that did not before."""
    before = back_offs(storm)
    until(lambda: back_offs(storm) > before, "a worker that waits for the server")


def test_every_request_once_through_kills_of_the_server_and_of_workers(
    kafka: str, unique: Unique, s3: S3Server, tmp_path: Path, capsys: Capture
) -> None:
    requests, failing = tone_requests(random.Random(21), 800)
    began = time.monotonic()
    with deployed(kafka, tmp_path, unique("s3")[-40:].strip("-"), s3.endpoint) as deployment:
        deployment.topics()
        deployment.publish(twice(deployment, random.Random(22), requests))
        storm = Storm(deployment, deployment.worker)
        for number in range(6):
            storm.progress(60)
            s3.kill()
            waits(storm)
            if number % 2:
                storm.kill("ab"[number // 2 % 2], tree=number == 3)
            s3.start()
        until(deployment.finished, "everything is committed")
        seconds = time.monotonic() - began
        waited = back_offs(storm)
        storm.drain()
        audios = check(deployment, requests, failing)
        assert not any(deployment.lags().values())
    assert storm.kills == 3
    told = (
        f"\n6 SIGKILLs of the S3 server, {storm.kills} of workers ({storm.trees} with their supervisor) while it was "
        f"away, {waited} times backed off; {len(requests)} ids, {audios} audios, {seconds:.0f} s"
    )
    with capsys.disabled():
        print(told)


def test_every_request_once_behind_a_proxy_that_spoils_its_requests(
    kafka: str, unique: Unique, proxy: FaultProxy, tmp_path: Path, capsys: Capture
) -> None:
    requests, failing = tone_requests(random.Random(31), 500)
    began = time.monotonic()
    with deployed(kafka, tmp_path, unique("s3")[-40:].strip("-"), proxy.endpoint) as deployment:
        deployment.topics()
        deployment.publish(twice(deployment, random.Random(32), requests))
        storm = Storm(deployment, deployment.worker)
        for worker in storm.workers.values():
            worker.ready()
        shares: dict[Fault, float] = dict.fromkeys(ALL, 0.02) | {Fault.HANG: 0.004, Fault.LATE: 0.004}
        proxy.choose = chosen(random.Random(33), shares)
        for number in range(3):
            storm.progress(60)
            storm.kill("ab"[number % 2], tree=number == 1)
        until(deployment.finished, "everything is committed")
        seconds = time.monotonic() - began
        struck = {str(fault): count for fault, count in proxy.counts.items()}
        proxy.choose = clear
        waited = back_offs(storm)
        storm.drain()
        audios = check(deployment, requests, failing)
        assert not any(deployment.lags().values())
    assert {str(fault) for fault in (*ALL, Fault.NONE)} == set(struck), "a fault that never struck"
    with capsys.disabled():
        print(f"\n{struck}, {waited} times backed off; {len(requests)} ids, {audios} audios, {seconds:.0f} s")


def test_a_server_that_accepts_and_says_nothing_is_waited_for(
    kafka: str, unique: Unique, proxy: FaultProxy, tmp_path: Path
) -> None:
    """Longer than the watchdog allows a call, by the same process."""
    requests, failing = tone_requests(random.Random(41), 150)
    name = unique("s3")[-40:].strip("-")
    with deployed(kafka, tmp_path, name, proxy.endpoint, call_limit=3) as deployment:
        deployment.topics()
        worker = deployment.worker("a").ready()
        child = worker.child
        proxy.choose = lambda method, target: Fault.HANG
        deployment.publish([deployment.message(request) for request in requests.values()])
        silent = time.monotonic()
        until(lambda: len(worker.journal.of(_BACKING_OFF)) >= 3, "it backs off, again and again")
        until(lambda: time.monotonic() - silent > 12, "four times the watchdog's limit has passed")
        assert worker.child == child
        assert deployment.results() == []
        proxy.choose = clear
        until(deployment.finished, "everything is committed")
        assert worker.child == child
        assert worker.terminate() == 0
        assert check(deployment, requests, failing) == len(requests) - len(failing)
