from __future__ import annotations

from pathlib import Path

import pytest

from streamer.kafka.base import Partition
from streamer.store.disk import DiskStore
from tests.cli.conftest import Deployment
from tests.cli.processes import complaints, run
from tests.wire.apicurio import Apicurio

ALL = ["kafka", "topics", "group", "store", "registry", "voices", "events", "engine", "bridge"]


def states(stdout: bytes) -> dict[str, str]:
    """Of each check its worst line."""
    worst = {"ok": 0, "warning": 1, "failed": 2}
    found: dict[str, str] = {}
    for line in stdout.decode().splitlines():
        state, name = line.split()[:2]
        name = name.rstrip(":")
        if worst[state] >= worst[found.get(name, "ok")]:
            found[name] = state
    return found


@pytest.mark.broker
def test_where_all_is_well_it_says_so_line_by_line(deployment: Deployment) -> None:
    variables = deployment.variables
    assert run("topics", variables=variables).returncode == 0
    done = run("check", variables=variables)
    assert (done.returncode, complaints(done.stderr)) == (0, [])
    assert states(done.stdout) == {**dict.fromkeys(ALL, "ok"), "topics": "warning"}
    names = deployment.kafka.topics
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith(f"ok kafka {deployment.kafka.bootstrap_servers}, cluster ")
    assert f"ok topics {names.requests}, {names.completed}, {names.failed}, {names.replayed}" in lines
    assert f"ok group streamer, begun in all 3 partitions of {names.requests}" in lines
    assert any(line.startswith(f"warning topics: {names.requests}: replication is 1: ") for line in lines)


@pytest.mark.broker
def test_a_group_without_a_start_is_told_and_nothing_is_made(deployment: Deployment) -> None:
    done = run("check", variables=deployment.variables)
    assert done.returncode == 1
    assert states(done.stdout)["group"] == states(done.stdout)["store"] == "failed"
    assert b"run `streamer topics`" in done.stdout
    store = DiskStore(deployment.store)
    assert list(store.list("")) == []
    store.close()
    partitions = [Partition(deployment.kafka.topics.requests, number) for number in range(3)]
    assert set(deployment.broker.admin().commits("streamer", partitions, 10.0).values()) == {None}


@pytest.mark.broker
def test_a_group_that_was_never_begun_there_is_told(deployment: Deployment) -> None:
    assert run("topics", variables=deployment.variables).returncode == 0
    done = run("check", variables=deployment.variables | {"KAFKA__GROUP": "another"})
    assert done.returncode == 1
    told = [line for line in done.stdout.decode().splitlines() if line.startswith("failed ")]
    assert [line.split("[")[1][:2] for line in told] == ["0]", "1]", "2]"]
    assert all("group another was never initialised there; run `streamer topics`" in line for line in told)


@pytest.mark.broker
def test_topics_that_are_missing_or_too_small_are_told(deployment: Deployment) -> None:
    variables = deployment.variables | {"KAFKA__PARTITIONS": "5", "KAFKA__TOPICS__FAILED": "nowhere"}
    done = run("check", variables=variables)
    assert done.returncode == 1
    assert b"failed topics: nowhere does not exist: run `streamer topics`\n" in done.stdout
    assert (
        f"failed topics: {deployment.kafka.topics.requests}: partitions is 3: kafka.partitions asks for 5".encode()
        in (done.stdout)
    )
    assert b"ok topics" not in done.stdout


def test_without_kafka_all_else_is_checked(tmp_path: Path) -> None:
    failing = {"ENGINE__NAME": "tone", "ENGINE__TONE__FAILURE_RATE": "1.0"}
    variables = {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "STORE__URL": (tmp_path / "store").as_uri(), **failing}
    done = run("check", variables=variables)
    assert done.returncode == 1
    assert states(done.stdout) == {
        **dict.fromkeys(ALL, "failed"),
        **dict.fromkeys(["registry", "voices", "events", "bridge"], "ok"),
    }
    assert b"failed kafka: 127.0.0.1:1 does not answer" in done.stdout
    assert b"set kafka.bootstrap_servers" in done.stdout
    assert b"failed engine: tone could not speak" in done.stdout


def test_wrong_configuration_is_told_beside_the_rest(tmp_path: Path) -> None:
    variables = {
        "KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "STORE__URL": "ftp://x",
        "VOICES__FILE": str(tmp_path / "none.toml"),
        "BRIDGE__HOST": "0.0.0.0",  # noqa: S104 - what the token is required for
    }
    done = run("check", variables=variables)
    assert done.returncode == 2
    assert states(done.stdout) == {**dict.fromkeys(ALL, "failed"), "engine": "ok", "registry": "ok"}
    assert b"failed bridge: bridge.token (environment: STREAMER_BRIDGE__TOKEN): required" in done.stdout


def test_a_rate_that_is_none_is_told() -> None:
    done = run("check", variables={"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "BRIDGE__RATE": "often"})
    assert (done.returncode, states(done.stdout)["bridge"]) == (2, "failed")
    assert b"failed bridge: bridge.rate (environment: STREAMER_BRIDGE__RATE) is 'often': write it as" in done.stdout


def test_all_that_is_wrong_with_the_events_is_told(tmp_path: Path) -> None:
    events = tmp_path / "events.toml"
    events.write_text("[events.a]\ntemplate = '{{ data.x | nope }}'\nvoice = 'nobody'\n[events.b]\n", encoding="utf-8")
    done = run("check", variables={"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "EVENTS__FILE": str(events)})
    assert (done.returncode, states(done.stdout)["events"]) == (2, "failed")
    told = [line for line in done.stdout.decode().splitlines() if line.startswith("failed events: ")]
    for part in ("event 'a', template line 1", "event 'a', voice", "event 'b', template: is missing"):
        assert any(f"events.file {events}, {part}" in line for line in told)


def test_all_errors_of_the_configuration_are_listed(tmp_path: Path) -> None:
    config = tmp_path / "streamer.toml"
    config.write_text("[kafka]\npartitions = 0\n[store]\nplace = 1\n")
    done = run("check", "--config", str(config), variables={"NOSUCH__KEY": "1"})
    assert (done.returncode, done.stdout) == (2, b"")
    listed = "\n".join(complaints(done.stderr))
    assert all(word in listed for word in ("STREAMER_NOSUCH__KEY", "kafka.partitions", "store.place"))


@pytest.mark.broker
def test_schemas_that_are_not_registered_are_told_and_then_they_are(deployment: Deployment, apicurio: Apicurio) -> None:
    variables = {**deployment.variables, "SCHEMA_REGISTRY__URL": apicurio.url}
    done = run("check", variables=variables)
    assert states(done.stdout)["registry"] == "failed"
    subjects = [f"{topic}-value" for topic in deployment.kafka.topics.model_dump().values()]
    for subject in subjects:
        assert f"subject {subject} does not hold the schema of this version: run `streamer topics`" in (
            done.stdout.decode()
        )
    assert run("topics", variables=variables).returncode == 0
    assert f"ok registry {apicurio.url}, which holds our schemas" in run("check", variables=variables).stdout.decode()


def test_a_registry_that_does_not_answer_is_told() -> None:
    done = run(
        "check", variables={"SCHEMA_REGISTRY__URL": "http://127.0.0.1:9", "KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    )
    assert done.returncode == 1
    assert b"failed registry: no Schema Registry answers at http://127.0.0.1:9" in done.stdout
