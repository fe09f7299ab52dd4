"""Fixtures that need something from outside: a real Kafka, and what to do where it cannot be had.

STREAMER_TEST_KAFKA names the bootstrap servers of a Kafka to test on, STREAMER_TEST_S3 the versitygw to start;
STREAMER_TEST_GLM_CACHE a folder that keeps the engine glm's text grammars from run to run;
STREAMER_TEST_REQUIRE makes a part that is missing a failure instead of a skip.
"""

from __future__ import annotations

import gc
import os
import re
import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import settings

from streamer.embedded.broker import EmbeddedKafka
from streamer.errors import EmbeddedError
from tests.store import s3server
from tests.wire.apicurio import Apicurio, Missing

_NAMES = ("STREAMER_TEST_KAFKA", "STREAMER_TEST_S3", "STREAMER_TEST_GLM_CACHE", "STREAMER_TEST_REQUIRE")
# Taken out of the environment: programs under test would refuse variables that are no settings.
_TAKEN = {name: os.environ.pop(name) for name in _NAMES if name in os.environ}
_KAFKA, _S3, _GLM_CACHE = (_TAKEN.get(name, "") for name in _NAMES[:3])
_REQUIRE = bool(_TAKEN.get("STREAMER_TEST_REQUIRE"))

_SHORT_SESSIONS = "1000"

# How fast a machine is says nothing; and a test that fails, fails for everyone.
settings.register_profile("streamer", deadline=None, derandomize=True)
settings.load_profile("streamer")


def pytest_configure(config: pytest.Config) -> None:
    """Who distributes tests runs none: its workers inherit what it was given."""
    if config.getoption("numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ.update(_TAKEN)


class Cluster(NamedTuple):
    """A Kafka to test on."""

    servers: str
    shortest_session: float
    """Seconds; the broker's group.min.session.timeout.ms."""


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where nothing may be missing."""
    if _REQUIRE:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if _KAFKA:
        yield Cluster(_KAFKA, 6.0)
        return
    with ExitStack() as stack:
        container = _container()
        if container is not None:
            yield Cluster(stack.enter_context(container).get_bootstrap_server(), 1.0)
            return
        try:
            broker = stack.enter_context(EmbeddedKafka(Path(tmp_path_factory.mktemp("kafka")), 0))
        except EmbeddedError as error:
            missing(f"no Kafka: STREAMER_TEST_KAFKA is not set, no container engine answers, and {error}")
        yield Cluster(broker.bootstrap_servers, 1.0)


@pytest.fixture(scope="session")
def kafka(cluster: Cluster) -> str:
    """Bootstrap servers of a real Kafka."""
    return cluster.servers


@pytest.fixture(scope="session")
def _apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    try:
        apicurio = Apicurio(tmp_path_factory.mktemp("apicurio"))
        apicurio.start()
    except Missing as error:
        missing(f"no Schema Registry: {error}")
    yield apicurio
    apicurio.kill()


@pytest.fixture
def apicurio(_apicurio: Apicurio) -> Apicurio:
    """A real Schema Registry, running again where the test before killed it."""
    if not _apicurio.running:
        _apicurio.start()
    return _apicurio


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes names of topics and groups that no other test has."""
    test = re.sub(r"[^A-Za-z0-9._-]+", "-", request.node.name)[:80]
    return lambda name: f"{test}-{name}-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def _s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3server.S3Server]:
    try:
        server = s3server.S3Server(s3server.binary(_S3), tmp_path_factory.mktemp("s3"))
    except s3server.Missing as error:
        missing(f"no S3 server: {error}")
    yield server
    server.kill()


@pytest.fixture
def s3(_s3: s3server.S3Server, monkeypatch: pytest.MonkeyPatch) -> s3server.S3Server:
    """A real S3 server, running again where the test before killed it, and its credentials in the environment."""
    if not _s3.running:
        _s3.start()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in _s3.credentials.items():
        monkeypatch.setenv(name, value)
    return _s3


@pytest.fixture(scope="session")
def glm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of the engine glm, with the text grammars in it: they take half a minute, so that all processes of
    a run share them."""
    from streamer.engines.glm.text.grammars import open_grammars

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # whose folders lie in one
        folder = folder.parent
    cache = Path(_GLM_CACHE or folder / "glm")
    open_grammars(cache)
    return cache


def _container() -> Any:
    """A Kafka container, where an engine answers."""
    try:
        import docker  # type: ignore[import-untyped]
        from testcontainers.community.kafka import KafkaContainer
    except ImportError:
        return None
    with warnings.catch_warnings():
        # A client that finds no engine leaves its socket to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        answers = _answers(docker)
        gc.collect()
    if not answers:
        return None
    container = KafkaContainer("confluentinc/cp-kafka:8.2.0").with_kraft()
    for name in ("TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "TRANSACTION_STATE_LOG_MIN_ISR"):
        container.with_env(f"KAFKA_{name}", "1")
    container.with_env("KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", _SHORT_SESSIONS)
    return container


def _answers(docker: Any) -> bool:
    try:
        client = docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    client.close()
    return True
