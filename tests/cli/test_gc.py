from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import pytest

from streamer.identity import Identity
from streamer.store.disk import DiskStore
from streamer.store.groups import Groups
from streamer.store.verdicts import Verdicts
from tests.cli.processes import complaints, run, started
from tests.store.test_garbage import audio_key, naming
from tests.store.test_verdicts import IDENTITY, verdict

DAY = 86_400


class Kept:
    """A store on disk as workers leave it, ten days ago."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = DiskStore(folder)
        Groups(self.store).make_store_id("store-1")
        self.named = self.write(b"named")
        Verdicts(self.store).settle(verdict(state=naming(self.named)))
        self.lost = [self.write(b"lost"), self.write(b"undecided", Identity("shop", "other"))]

    def write(self, data: bytes, identity: Identity = IDENTITY, days: float = 10) -> str:
        key = audio_key(data, identity)
        self.store.replace(key, data)
        then = time.time() - days * DAY
        os.utime(self.folder / key, (then, then))
        return key

    @property
    def variables(self) -> dict[str, str]:
        return {"STORE__URL": self.folder.as_uri()}

    def held(self) -> set[str]:
        return set(self.store.list(""))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "store")


def test_it_says_what_it_would_delete_and_deletes_nothing(kept: Kept) -> None:
    young = kept.write(b"young", days=6)
    before = kept.held()
    done = run("gc", variables=kept.variables)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert sorted(line.split()[0] for line in lines[:-2]) == sorted(kept.lost)
    assert all("bytes, written 20" in line for line in lines[:-2])
    assert lines[-2:] == [
        "2 file(s), 13 bytes, of 2 folder(s) would be deleted",
        "nothing was deleted: run it again with --yes",
    ]
    assert kept.held() == before
    assert b"3 file(s)" in run("gc", "--older-than", "5d", variables=kept.variables).stdout
    assert young in kept.held()


def test_it_deletes_that_and_nothing_else(kept: Kept) -> None:
    before = kept.held()
    done = run("gc", "--yes", variables=kept.variables)
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[-1] == "2 file(s), 13 bytes, of 2 folder(s) deleted"
    assert kept.held() == before - set(kept.lost)
    assert run("gc", "--yes", variables=kept.variables).stdout == b"0 file(s), 0 bytes, of 0 folder(s) deleted\n"


def test_many_are_told_by_some_examples(kept: Kept) -> None:
    for number in range(20):
        kept.write(str(number).encode(), Identity("shop", str(number)))
    lines = run("gc", variables=kept.variables).stdout.decode().splitlines()
    assert len(lines) == 5 + 1 + 2
    assert lines[-2].startswith("22 file(s)")


def test_a_folder_that_cannot_be_judged_is_left_alone_and_told(kept: Kept) -> None:
    (kept.folder / IDENTITY.folder / "verdict-2.json").write_bytes(b"{")
    done = run("gc", "--yes", variables=kept.variables)
    assert done.returncode == 1
    [line] = complaints(done.stderr)
    assert line.startswith(
        f"{IDENTITY.folder} is left alone: {IDENTITY.folder}/verdict-2.json is an unreadable verdict"
    )
    assert set(kept.lost) & kept.held() == {kept.lost[0]}


@pytest.mark.parametrize("age", ["59m", "10s", "2100-01-01"])
def test_too_young_a_bound_is_refused_with_the_reason(kept: Kept, age: str) -> None:
    done = run("gc", "--yes", "--older-than", age, variables=kept.variables)
    assert done.returncode == 2
    [line] = complaints(done.stderr)
    assert "--older-than" in line
    assert "worker.call_limit" in line
    assert "give 3600s or more" in line
    assert set(kept.lost) <= kept.held()


def test_the_least_bound_follows_what_a_worker_may_take(kept: Kept) -> None:
    variables = kept.variables | {"WORKER__CALL_LIMIT": "3600"}
    done = run("gc", "--older-than", "9h", variables=variables)
    assert done.returncode == 2
    assert "a worker may take 3600 s" in complaints(done.stderr)[0]
    assert run("gc", "--older-than", "3600s", variables=kept.variables).returncode == 0
    assert run("gc", "--older-than", "10h", variables=variables).returncode == 0


@pytest.mark.parametrize("arguments", [["--older-than", "yesterday"], ["--older-than"], ["--all"]])
def test_wrong_use(kept: Kept, arguments: list[str]) -> None:
    done = run("gc", *arguments, variables=kept.variables)
    assert done.returncode == 2
    assert arguments[0].encode() in done.stderr


def test_a_store_that_is_not_the_workers_is_refused(tmp_path: Path) -> None:
    done = run("gc", variables={"STORE__URL": (tmp_path / "other").as_uri()})
    assert (done.returncode, done.stdout) == (2, b"")
    assert "set store.url to the workers' one" in complaints(done.stderr)[0]


def test_interrupted_it_says_how_far_it_came(kept: Kept) -> None:
    for number in range(3_000):
        name = hashlib.sha256(str(number).encode()).hexdigest()
        path = kept.folder / name / f"{name}.wav"
        path.parent.mkdir()
        path.write_bytes(b"x")
        os.utime(path, (1_700_000_000, 1_700_000_000))
    with started("gc", "--yes", variables=kept.variables) as process:
        assert process.stdout is not None
        assert process.stdout.readline()  # the first one went
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    last = said.decode().splitlines()[-1]
    assert last.startswith("interrupted; ")
    assert last.endswith(" deleted")
    gone = int(last.split()[1].replace(",", ""))
    assert 0 < gone < 3_002
    assert len(kept.held()) == 3_002 + 3 - gone
