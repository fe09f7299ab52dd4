from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import pytest

from streamer.kafka.base import Reader, Record
from streamer.records import SpeechRequest
from streamer.store.disk import DiskStore
from streamer.store.groups import Groups
from streamer.wire import avro
from tests.bridge.running import decide, speak
from tests.cli.conftest import Deployment
from tests.cli.processes import complaints, line_of, run, started

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what the token is required for
HELLO = {"source": "shop", "id": "1", "text": "hello"}


def initialised(folder: Path) -> DiskStore:
    """The store as `streamer topics` leaves it, for a bridge."""
    store = DiskStore(folder)
    Groups(store).make_store_id("0123456789abcdef")
    return store


@contextmanager
def away() -> Iterator[str]:
    """An address where nothing answers: the port is taken and never listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def variables(tmp_path: Path, servers: str) -> dict[str, str]:
    """Of a deployment whose store is initialised."""
    initialised(tmp_path / "store").close()
    return {"KAFKA__BOOTSTRAP_SERVERS": servers, "STORE__URL": (tmp_path / "store").as_uri()}


def address(process: Popen[bytes]) -> str:
    ready = line_of(process)
    assert ready.startswith("ready http://127.0.0.1:"), ready
    return ready.removeprefix("ready ")


def test_without_kafka_it_starts_says_so_and_answers_what_is_pending_when_it_ends(tmp_path: Path) -> None:
    async def scenario(base: str, process: Popen[bytes]) -> None:
        async with httpx.AsyncClient(base_url=base, timeout=30) as client:
            assert (await client.get("/healthz")).status_code == 200
            readiness = await until_asked(client)
            assert readiness.status_code == 503
            assert readiness.json()["store"] == "ok"
            assert readiness.json()["kafka"] != "ok"
            pending = asyncio.create_task(client.post("/webhook/tts", json=HELLO))
            other = asyncio.create_task(client.post("/webhook/tts", json={"text": "hello"}))
            await until_taken(client)
            process.send_signal(signal.SIGTERM)
            response = await pending
            assert (response.status_code, response.json()["code"], response.json()["task_id"]) == (503, "unknown", "1")
            assert (await other).json()["task_id"] != ""

    with away() as servers, started("bridge", "--port", "0", variables=variables(tmp_path, servers)) as process:
        asyncio.run(scenario(address(process), process))
        assert process.wait(30) == 0


async def until_asked(client: httpx.AsyncClient) -> httpx.Response:
    async with asyncio.timeout(20):
        while "not asked" in (response := await client.get("/readyz")).text:
            await asyncio.sleep(0.05)
    return response


async def until_taken(client: httpx.AsyncClient) -> None:
    """Both posts have reached the bridge: their connections are open beside ours."""
    async with asyncio.timeout(20):
        while "streamer_bridge_in_flight 2.0" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.02)


def test_an_idle_bridge_ends_at_once(tmp_path: Path) -> None:
    with away() as servers, started("bridge", "--port", "0", variables=variables(tmp_path, servers)) as process:
        address(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("bridge", "--port", port, variables=variables(tmp_path, "127.0.0.1:1"))
    assert done.returncode == 2
    assert complaints(done.stderr) == [
        f"bridge.port {port} on 127.0.0.1: Address already in use; choose another with --port, or 0 for any"
    ]
    assert done.stdout == b""


def test_other_machines_need_a_token(tmp_path: Path) -> None:
    done = run("bridge", "--host", EVERYWHERE, "--port", "0", variables=variables(tmp_path, "127.0.0.1:1"))
    assert done.returncode == 2
    assert b"bridge.token (environment: STREAMER_BRIDGE__TOKEN): required" in done.stderr


def test_with_a_token_it_listens_to_them(tmp_path: Path) -> None:
    with (
        away() as servers,
        started(
            *("bridge", "--host", EVERYWHERE, "--port", "0"),
            variables=variables(tmp_path, servers) | {"BRIDGE__TOKEN": "word"},
        ) as process,
    ):
        base = line_of(process).removeprefix("ready ").replace(EVERYWHERE, "127.0.0.1")
        assert httpx.post(f"{base}/webhook/tts", json=HELLO).status_code == 401


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "no.such.host.invalid"], b"bridge.host 'no.such.host.invalid'"),
        (["--port", "65536"], b"--port"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, arguments: list[str], message: bytes) -> None:
    done = run("bridge", *arguments, variables=variables(tmp_path, "127.0.0.1:1"))
    assert done.returncode == 2
    assert message in done.stderr


def test_a_store_that_does_not_open_is_told(tmp_path: Path) -> None:
    done = run("bridge", "--port", "0", variables={**variables(tmp_path, "127.0.0.1:1"), "STORE__URL": "ftp://x"})
    assert done.returncode == 2
    assert b"store.url" in done.stderr


def test_a_store_that_is_not_the_workers_is_told_before_it_listens(tmp_path: Path) -> None:
    given = variables(tmp_path, "127.0.0.1:1") | {"STORE__URL": (tmp_path / "other").as_uri()}
    done = run("bridge", "--port", "0", variables=given)
    assert (done.returncode, done.stdout) == (2, b"")
    [line] = complaints(done.stderr)
    assert "store/id: set store.url to the workers' one, or run `streamer topics`" in line


def test_a_client_that_stops_reading_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Its download is cut when bridge.drain_timeout is over, and the exit code is that of a clean end."""
    given = variables(tmp_path, "127.0.0.1:1") | {"BRIDGE__DRAIN_TIMEOUT": "1"}
    speak(DiskStore(tmp_path / "store"), SpeechRequest(source="shop", id="1", text="hello"), bytes(64 * 1024 * 1024))
    with started("bridge", "--port", "0", variables=given) as process:
        host, port = address(process).removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(b"GET /jobs/1/audio?source=shop HTTP/1.1\r\nHost: bridge\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert time.monotonic() - began < 10


def test_a_rate_that_is_none_is_told(tmp_path: Path) -> None:
    given = variables(tmp_path, "127.0.0.1:1") | {"BRIDGE__RATE": "often"}
    done = run("bridge", "--port", "0", variables=given)
    assert done.returncode == 2
    assert b"bridge.rate (environment: STREAMER_BRIDGE__RATE) is 'often'" in done.stderr


@pytest.mark.broker
def test_what_it_accepts_is_in_kafka(deployment: Deployment) -> None:
    reader = deployment.broker.reader([deployment.kafka.topics.requests], from_beginning=True)
    decide(initialised(deployment.store), SpeechRequest(source="shop", id="done", text="hello"))

    async def scenario(base: str) -> None:
        async with httpx.AsyncClient(base_url=base, timeout=30) as client:
            async with asyncio.timeout(30):
                while (await client.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.05)
            posts = [client.post("/webhook/tts", json={**HELLO, "id": str(n)}) for n in (*range(20), *range(20))]
            assert [response.status_code for response in await asyncio.gather(*posts)] == [202] * 40
            slashed = await client.post("/webhook/tts", json={**HELLO, "id": "0/%2F 单"})
            assert slashed.status_code == 202
            job = await client.get("/jobs/0%2F%252F%20%E5%8D%95", params={"source": "shop"})
            assert (job.status_code, job.json()["state"], job.json()["id"]) == (200, "accepted", "0/%2F 单")
            skipped = await client.post("/webhook/tts", json={**HELLO, "id": "done"})
            assert (skipped.status_code, skipped.json()["state"]) == (200, "completed")
            conflict = await client.post("/webhook/tts", json={**HELLO, "id": "done", "text": "other"})
            assert (conflict.status_code, conflict.json()["code"]) == (409, "id_conflict")

    with started("bridge", "--port", "0", variables=deployment.variables) as process:
        asyncio.run(scenario(address(process)))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert {avro.requests().decode(record.value).id for record in drained(reader)} == {*map(str, range(20)), "0/%2F 单"}


def drained(reader: Reader) -> list[Record]:
    records: list[Record] = []
    while (got := reader.poll(5_000, 0.2)) or not reader.at_end():  # asking for the end waits behind a fetch
        records += got
    reader.close()
    return records


@pytest.mark.broker
def test_a_request_pending_at_the_signal_is_accepted(deployment: Deployment) -> None:
    """Its body comes after the signal; the answer still does, and only then the process ends."""
    body = json.dumps(HELLO).encode()
    head = (
        b"POST /webhook/tts HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    initialised(deployment.store).close()
    with started("bridge", "--port", "0", variables=deployment.variables) as process:
        base = address(process)
        host, port = base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(head + body[:5])
            assert httpx.get(f"{base}/healthz").status_code == 200  # whatever came before it was read
            process.send_signal(signal.SIGTERM)
            refused_within(host, int(port), 30.0)
            connection.sendall(body[5:])
            assert connection.recv(65_536).startswith(b"HTTP/1.1 202 ")
        assert process.wait(30) == 0
    [record] = drained(deployment.broker.reader([deployment.kafka.topics.requests], from_beginning=True))
    assert record.key == b"shop/1"


def refused_within(host: str, port: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError("it still accepts connections")
