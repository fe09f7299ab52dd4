from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from streamer.identity import Identity
from streamer.store.base import Store
from streamer.store.deletion import kept
from streamer.store.disk import DiskStore
from streamer.store.groups import Groups
from streamer.store.verdicts import Verdicts
from tests.cli.conftest import Deployment
from tests.cli.processes import complaints, run
from tests.cli.test_bridge import away
from tests.store.test_garbage import audio_key, naming
from tests.store.test_verdicts import IDENTITY, verdict

DECIDED = 1_700_000_000_000
DAY = 86_400_000
MINE = ("delete", "--source", IDENTITY.source, "--id", IDENTITY.id)


def fill(store: Store) -> None:
    """Of one id: a failure, and the redrive that completed, promoted later; a file of an attempt that lost."""
    Groups(store).make_store_id("store-1")
    for data in (b"sound", b"lost"):
        store.replace(audio_key(data), data)
    Verdicts(store).settle(verdict())
    Verdicts(store).settle(
        msgspec.structs.replace(verdict(generation=2, state=naming(audio_key(b"sound"))), run="fix/1")
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = DiskStore(tmp_path / "filled")
    fill(store)
    store.close()
    return tmp_path / "filled"


def standing(folder: Path, identity: Identity = IDENTITY) -> tuple[list[bool], int]:
    """Which verdicts are tombstones, and how many files are left."""
    store = DiskStore(folder)
    found = kept(store, identity)
    store.close()
    return [one.deleted for one in found.verdicts], found.objects


def date(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def test_nothing_decided_is_nothing_deleted(folder: Path) -> None:
    store = DiskStore(folder)
    on_its_way = Identity("webhook", IDENTITY.id)
    store.put(audio_key(b"on its way", on_its_way), b"on its way")
    store.close()
    done = run("delete", "--id", IDENTITY.id, variables={"STORE__URL": folder.as_uri()})
    assert (done.returncode, done.stdout) == (1, b"")
    [line] = complaints(done.stderr)
    assert f"no verdict on id '{IDENTITY.id}' of source 'webhook'" in line
    assert "on its way is not covered: run this again once it is done" in line
    assert standing(folder, on_its_way) == ([], 1)
    assert standing(folder) == ([False, False], 2)


def test_a_kafka_that_is_away_hinders_no_deletion(folder: Path) -> None:
    with away() as servers:
        done = run(*MINE, variables={"STORE__URL": folder.as_uri(), "KAFKA__BOOTSTRAP_SERVERS": servers})
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == [
        f"{IDENTITY.id} of {IDENTITY.source}: 2 file(s) deleted",
        f"  generation 1: failed (synthesis_failed), decided {date(DECIDED)}",
        f"  generation 2: completed, decided {date(DECIDED)}, promoted by the replay fix/1",
    ]
    [line] = complaints(done.stderr)
    assert line.startswith(f"until when the topics keep their copies is unknown: {servers} does not answer")
    assert "run this again" in line
    assert standing(folder) == ([True, True], 0)


@pytest.mark.broker
def test_it_says_until_when_the_topics_keep_their_copies(
    deployment: Deployment, folder: Path, unique: Callable[[str], str]
) -> None:
    kept_for_ever, names = unique("kept"), deployment.kafka.topics
    admin = deployment.broker.admin()
    admin.create_topic(kept_for_ever, 1, 1, {"retention.ms": "-1"}, 30.0)
    topic = unique("short")
    admin.create_topic(topic, 1, 1, {"retention.ms": str(DAY), "segment.ms": str(DAY // 2)}, 30.0)
    variables = deployment.variables | {
        "STORE__URL": folder.as_uri(),
        "KAFKA__TOPICS__COMPLETED": topic,
        "KAFKA__TOPICS__FAILED": kept_for_ever,
        "KAFKA__TOPICS__REPLAYED": "nowhere",
    }
    would = run(*MINE, "--dry-run", variables=variables)
    assert would.returncode == 0
    assert "2 file(s) would be deleted" in would.stdout.decode()
    assert standing(folder) == ([False, False], 2)
    done = run(*MINE, variables=variables)
    assert (done.returncode, complaints(done.stderr)) == (0, [])
    said = done.stdout.decode()
    assert f"  {names.requests}: until {date(DECIDED + 14 * DAY)} at the latest" in said
    assert f"  {topic}: until {date(DECIDED + DAY + DAY // 2)} at the latest" in said
    assert f"  {kept_for_ever}: for ever; set retention.ms" in said
    assert "  nowhere: there is no such topic" in said
    assert standing(folder) == ([True, True], 0)

    again = run(*MINE, variables=variables)
    assert again.returncode == 0
    first, *rest = again.stdout.decode().splitlines()
    assert first.startswith(f"{IDENTITY.id} of {IDENTITY.source} was deleted already, ")
    assert any(names.requests in line for line in rest)


def test_what_an_interrupted_deletion_left_goes(folder: Path) -> None:
    store = DiskStore(folder)
    for one in kept(store, IDENTITY).verdicts:
        Verdicts(store).bury(one, DECIDED)
    store.close()
    with away() as servers:
        done = run(*MINE, variables={"STORE__URL": folder.as_uri(), "KAFKA__BOOTSTRAP_SERVERS": servers})
    assert done.returncode == 0
    assert f"was deleted already, {date(DECIDED)}; 2 file(s) that were left deleted" in done.stdout.decode()
    assert standing(folder) == ([True, True], 0)


def test_a_verdict_that_cannot_be_read_is_told_and_nothing_is_deleted(folder: Path) -> None:
    (folder / IDENTITY.folder / "verdict-2.json").write_bytes(b"{")
    done = run(*MINE, variables={"STORE__URL": folder.as_uri()})
    assert (done.returncode, done.stdout) == (1, b"")
    assert "verdict-2.json is an unreadable verdict" in complaints(done.stderr)[0]
    assert len(list((folder / IDENTITY.folder).iterdir())) == 4


def test_a_store_that_is_not_the_workers_is_refused(tmp_path: Path) -> None:
    done = run(*MINE, variables={"STORE__URL": (tmp_path / "other").as_uri()})
    assert (done.returncode, done.stdout) == (2, b"")
    assert "set store.url to the workers' one" in complaints(done.stderr)[0]


def test_without_an_id_it_is_wrong_use(folder: Path) -> None:
    done = run("delete", variables={"STORE__URL": folder.as_uri()})
    assert done.returncode == 2
    assert b"--id" in done.stderr


def test_the_help_names_the_bridges_source() -> None:
    from streamer.bodies import SOURCE
    from streamer.cli import delete

    [source] = [option for option in delete.command.params if option.name == "source"]
    assert source.default == SOURCE
