"""A person asks to be forgotten while the result is on its way: real processes on a real Kafka."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from streamer.identity import Identity
from streamer.records import SpeechFailed, SpeechRequest
from streamer.store.deletion import kept
from tests.faults.cluster import Deployment, until

pytestmark = pytest.mark.broker

SECRET = "the account ends in four two"  # noqa: S105 - a text to be spoken


def test_an_owner_that_was_not_committed_emits_deleted_once(kafka: str, tmp_path: Path) -> None:
    mine, request = Identity("shop", "mine"), SpeechRequest(source="shop", id="mine", text=SECRET)
    prefix = f"deletion-{secrets.token_hex(4)}-"
    with Deployment(kafka, tmp_path, prefix, partitions=1, WORKER__COMMIT_INTERVAL="5") as deployment:
        deployment.topics()
        store = deployment.opened_store()
        worker = deployment.worker("a").ready()
        deployment.publish([deployment.message(request)])
        until(lambda: kept(store, mine).verdicts, "it is decided")
        worker.kill()
        assert deployment.results() == []
        assert kept(store, mine).objects == 1

        done = deployment.run("delete", "--source", "shop", "--id", "mine")
        assert done.returncode == 0, done.stderr
        assert "mine of shop: 1 file(s) deleted" in done.stdout
        assert f"  {deployment.kafka.topics.failed}: until " in done.stdout

        second = deployment.worker("a", WORKER__COMMIT_INTERVAL="0.1").ready()
        deployment.publish([deployment.message(request)])  # sent once more: the id stays used
        until(deployment.finished, "everything is committed")
        assert second.terminate() == 0
        [read] = deployment.results()
        result = read.result
        assert isinstance(result, SpeechFailed)
        assert (result.source, result.id, result.code, result.retryable) == ("shop", "mine", "deleted", False)
        assert SECRET.encode() not in (read.record.value or b"")
        found = kept(store, mine)
        assert ([verdict.deleted for verdict in found.verdicts], found.objects) == ([True], 0)
        assert SECRET not in (deployment.store / mine.folder / "verdict-1.json").read_text()
        store.close()
