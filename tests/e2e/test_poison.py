"""Records that kill the worker that speaks them, or hang its engine, are found by the workers themselves: real
processes under their supervisors, on a real Kafka."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.records import SpeechRequest
from streamer.worker.liveness import STUCK
from tests.faults.cluster import Deployment, until
from tests.faults.promise import check
from tests.faults.workers import Worker

pytestmark = pytest.mark.broker

_REQUESTS = 60
_POISON = {7: "[[crash]]", 31: "[[hang]]", 48: "[[crash]]"}
_ATTEMPTS = 2
_SHARED = 2
"""Deaths until a culprit is tried alone: 60 records at most were under way with it, then an eighth of them, 7, then
one."""
_DIED = "a worker died, restarting"


def deployed(kafka: str, folder: Path, prefix: str) -> Deployment:
    return Deployment(
        kafka,
        folder,
        prefix,
        ENGINE__ATTEMPTS=str(_ATTEMPTS),
        ENGINE__TONE__COST_PER_CHARACTER="0.002",
        ENGINE__TONE__STEP_LIMIT="2",
        KAFKA__SESSION_TIMEOUT="3",
    )


def requests() -> dict[str, SpeechRequest]:
    texts = {number: f"number {number} of sixty. {_POISON.get(number, '')}" for number in range(_REQUESTS)}
    return {
        f"id-{number}": SpeechRequest(source="shop", id=f"id-{number}", text=text) for number, text in texts.items()
    }


def died(workers: list[Worker]) -> list[int]:
    """Exit codes of the processes that died by themselves."""
    return [entry["exit_code"] for worker in workers for entry in worker.journal.of(_DIED)]


def test_poison_is_found_and_its_neighbours_are_spoken(
    kafka: str, unique: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One supervisor is killed with its worker after two deaths, as with its machine, and its work is taken up under
    another name: what was counted so far still counts."""
    sent = requests()
    poisoned = {f"id-{number}" for number in _POISON}
    with deployed(kafka, tmp_path, f"{unique('poison')[-20:]}-") as deployment:
        deployment.topics()
        deployment.publish([deployment.message(request) for request in sent.values()])
        workers = [deployment.worker(name) for name in "ab"]
        until(lambda: len(died(workers)) >= 2, "two processes died")
        workers[0].kill()
        workers.append(deployment.worker("c"))
        until(deployment.finished, "everything is committed", 300)
        deaths = died(workers)
        assert check(deployment, sent, poisoned) == _REQUESTS - len(poisoned)
        for id_, failure in deployment.failed().items():
            assert (failure.code, failure.attempts) == ("synthesis_failed", _ATTEMPTS), id_
            assert f"it killed its worker {_ATTEMPTS} times, alone" in failure.message
    with capsys.disabled():
        print(f"\n{len(deaths)} processes died: {sorted(deaths)}")
    assert {-9, STUCK} == set(deaths)
    assert len(deaths) <= len(poisoned) * (_SHARED + _ATTEMPTS)
