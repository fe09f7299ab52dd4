"""The bare producer: raw ASGI, the body as it came to Kafka, 202 once all in-sync replicas have it.

No JSON, no Avro, no checks: what is left is HTTP and the client, woken once a poll as the bridge is.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from typing import Any

import uvicorn
import uvloop
from confluent_kafka import Producer

from benchmarks.bridge import TOPIC

_START: dict[str, Any] = {
    "type": "http.response.start",
    "status": 202,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"21")],
}
_BODY = {"type": "http.response.body", "body": b'{"status":"accepted"}'}


class Bare:
    def __init__(self, servers: str, linger_ms: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._producer = Producer(
            {"bootstrap.servers": servers, "acks": "all", "enable.idempotence": True, "linger.ms": linger_ms}
        )
        self._number = 0
        self._done: list[asyncio.Future[None]] = []
        threading.Thread(target=self._poll, daemon=True).start()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        acknowledged = self._loop.create_future()

        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                raise RuntimeError(error)
            self._done.append(acknowledged)

        # With a key, as the bridge's: without one librdkafka fills one partition at a time.
        self._number += 1
        self._producer.produce(TOPIC, body, str(self._number), on_delivery=delivered)
        await acknowledged
        await send(_START)
        await send(_BODY)

    def _poll(self) -> None:
        while True:
            self._producer.poll(0.1)
            if self._done:
                done, self._done = self._done, []
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(_wake, done)


def _wake(done: list[asyncio.Future[None]]) -> None:
    for acknowledged in done:
        if not acknowledged.done():
            acknowledged.set_result(None)


async def serve(servers: str, linger_ms: float) -> None:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen(2048)
    config = uvicorn.Config(
        Bare(servers, linger_ms), http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    print(f"ready http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
    await uvicorn.Server(config).serve(sockets=[bound])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], float(sys.argv[2])))
