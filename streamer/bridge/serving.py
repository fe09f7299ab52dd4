"""The bridge as a process: its socket, its server, its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Iterator

import msgspec
import uvicorn
import uvloop

from streamer.bridge.app import App
from streamer.bridge.connections import Connection
from streamer.bridge.core import Bridge
from streamer.bridge.lookups import Lookups
from streamer.bridge.probes import Probe
from streamer.bridge.publishing import Publishing
from streamer.bridge.rates import Rate, parsed
from streamer.bridge.threads import Threads
from streamer.clock import Clock
from streamer.errors import EXIT_DONE, EXIT_FAILED, BrokerUnreachable, ConfigurationError
from streamer.kafka.base import Admin, Publisher
from streamer.observe.logs import Log
from streamer.observe.metrics import Metrics
from streamer.settings import Settings
from streamer.store.base import Store
from streamer.store.verdicts import Verdicts
from streamer.submission import Submissions

_BACKLOG = 2_048
_KEEP_ALIVE = 75
"""Seconds an idle connection is kept: longer than the proxies before us keep theirs."""
_PROBE_TIMEOUT = 2.0
_YOUNG = 10_000
"""Objects made before the collector looks at them."""
_READERS = 8
"""Parts of downloads read at once: one that reads from a store that hangs does so without the look-ups' threads."""


class Parts(msgspec.Struct, frozen=True):
    """What the bridge is built of."""

    settings: Settings
    publisher: Publisher
    admin: Admin
    store: Store
    submissions: Submissions
    metrics: Metrics
    clock: Clock
    log: Log


def listen(settings: Settings) -> socket.socket:
    """The socket, bound but not listening. Errors: ConfigurationError for all that is wrong with [bridge]."""
    host, port = settings.bridge.host, settings.bridge.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ConfigurationError(
            [f"bridge.host {host!r}: {error.strerror}; give an address of this machine"]
        ) from error
    problems = _rate_problems(settings.bridge.rate)
    if not settings.bridge.token and not ipaddress.ip_address(address[0]).is_loopback:
        problems.append(
            f"bridge.token (environment: STREAMER_BRIDGE__TOKEN): required because {host} is reachable from other "
            "machines; set it, or bind to 127.0.0.1"
        )
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        problems.append(f"bridge.port {port} on {host}: {error.strerror}; choose another with --port, or 0 for any")
    if problems:
        bound.close()
        raise ConfigurationError(problems)
    return bound


def _rate_problems(rate: str) -> list[str]:
    try:
        if rate:
            parsed(rate)
    except ConfigurationError as error:
        return list(error.problems)
    return []


def url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(parts: Parts, bound: socket.socket, ready: Callable[[], None]) -> int:
    """Serve until SIGTERM or SIGINT, then drain; the exit code. `ready` is called once it listens."""
    _forward_logs(parts.log)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(parts, bound, ready))


async def _serve(parts: Parts, bound: socket.socket, ready: Callable[[], None]) -> int:
    settings, loop = parts.settings, asyncio.get_running_loop()
    publishing = Publishing(parts.publisher)
    lookups = Lookups(Verdicts(parts.store), settings.store.threads)
    threads = Threads("download", _READERS)
    bridge = Bridge(
        parts.submissions,
        publishing,
        lookups,
        ack_timeout=settings.bridge.ack_timeout,
        max_bytes=settings.kafka.max_request_bytes,
        max_pending=settings.bridge.max_pending,
        rate=Rate(settings.bridge.rate, parts.clock) if settings.bridge.rate else None,
        metrics=parts.metrics,
        log=parts.log,
    )
    probes = _probes(parts)
    app = App(bridge, lookups, threads, parts.store, probes, settings.bridge, parts.metrics, parts.log)
    server = _Server(_config(app, settings.bridge.drain_timeout), ready)

    ends = loop.time()

    def stop() -> None:
        nonlocal ends
        server.force_exit = app.draining  # asked twice: at once
        ends = loop.time() + settings.bridge.drain_timeout
        app.draining = server.should_exit = True

    # What stands now stays; and a request makes no cycles, so that the young generation need not be searched each few.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    publishing.broken.add_done_callback(lambda _: stop())
    for probe in probes:
        probe.start()
    await server.serve(sockets=[bound])
    left = await publishing.close(max(0.1, ends - loop.time()))
    lookups.close()
    threads.close()
    for probe in probes:
        probe.close()
    parts.log.info("drained", unsent=left)
    if publishing.broken.done():
        parts.log.error("the Kafka client broke", reason=str(publishing.broken.result()))
        return EXIT_FAILED
    return EXIT_DONE


def _probes(parts: Parts) -> list[Probe]:
    topic = parts.settings.kafka.topics.requests

    def kafka() -> None:
        if parts.admin.topics([topic], _PROBE_TIMEOUT)[topic] is None:
            raise BrokerUnreachable(f"topic {topic} does not exist; run `streamer topics`")

    def store() -> None:
        parts.store.get("probe")

    return [Probe("kafka", kafka, parts.clock), Probe("store", store, parts.clock)]


class _Server(uvicorn.Server):
    """uvicorn with our signals: its own would be raised again after the drain, and the exit code lost."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: App, drain_timeout: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nothing here asks who the client is
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(drain_timeout)),
    )


class _Forward(logging.Handler):
    """uvicorn's warnings as events of ours."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.warning("server", message=record.getMessage(), exc_info=record.exc_info or None)


def _forward_logs(log: Log) -> None:
    logger = logging.getLogger("uvicorn.error")
    logger.handlers[:] = [_Forward(log)]
    logger.propagate = False
