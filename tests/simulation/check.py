"""The promise, checked on the read_committed logs, the group's commits and the store alone."""

from __future__ import annotations

import hashlib
from collections import defaultdict

from streamer.identity import Identity
from streamer.records import SpeechCompleted, SpeechFailed
from streamer.store.verdicts import Completed, Verdicts
from tests.simulation.check_replays import check_replays
from tests.simulation.check_store import check_store
from tests.simulation.workload import TOPIC, Published
from tests.simulation.world import World

_WAV_HEAD = 44
"""Bytes before the samples."""

Job = tuple[Identity, int]
Result = SpeechCompleted | SpeechFailed


def check(world: World) -> list[str]:
    """What is wrong, a line each."""
    problems = list(world.violations)
    topic = world.cluster.topic(TOPIC)
    if topic is None:
        return ["the request topic is gone"]
    failed = world.topics.failed()
    results: list[Result] = [*world.topics.completed()]
    results += [failure for failure in failed if failure.code != "id_conflict"]

    claims: dict[Job, list[Published]] = defaultdict(list)
    for published in world.senders.published:
        claims[published.identity(topic.id), published.sent.generation].append(published)
    answers: dict[Job, list[Result]] = defaultdict(list)
    for result in results:
        answers[Identity(result.source, result.id), result.generation].append(result)

    for job in answers.keys() - claims.keys():
        problems.append(f"{job}: a result that nobody asked for")
    for job, claimants in claims.items():
        problems += [f"{job}: {problem}" for problem in _job(world, job, claimants, answers[job])]
    problems += _redriven(world, answers) + _conflicts(world, claims, failed)
    problems += check_store(world) + check_replays(world)
    commits = world.topics.commits(world.shared.settings.kafka.group)
    for log in world.topics.requests():
        commit = commits.get(log.partition)
        if commit is None or commit.offset < log.end:
            problems.append(f"{log.partition}: committed {commit and commit.offset}, the log ends at {log.end}")
    return problems


def _job(world: World, job: Job, claimants: list[Published], answers: list[Result]) -> list[str]:
    deletion = world.deletions.done.get(job[0])
    verdict = Verdicts(world.store).read(*job)
    if deletion is not None and job[1] > 1 and not answers and verdict is None:
        return []  # a redrive of what was deleted; each of its records is a conflict
    if len(answers) != 1:
        return [f"{len(answers)} results instead of one"]
    answer = answers[0]
    place = (answer.position.partition, answer.position.offset)
    owners = [published for published in claimants if (published.partition, published.offset) == place]
    if not owners:
        return [f"answered at {place}, where its request never stood"]
    if verdict is None:
        return ["a result without a verdict"]
    problems = []
    if (verdict.owner.partition, verdict.owner.offset) != place:
        problems.append(f"emitted at {place}, but {verdict.owner} owns the verdict")
    code = answer.code if isinstance(answer, SpeechFailed) else "ok"
    excused = {
        "synthesis_failed": world.engine_fails,
        "speech_rejected": "speech flawed" in world.seen,
    }
    excused["deleted"] = deletion is not None
    if code not in owners[0].sent.expected and not excused.get(code):
        problems.append(f"ended as {code}, expected {sorted(owners[0].sent.expected)}")
    if verdict.deleted and isinstance(answer, SpeechCompleted):
        if deletion is None or not deletion.told:
            problems.append("completed, and it had been deleted before")
    elif isinstance(answer, SpeechCompleted):
        audio = world.store.get(answer.audio.uri.removeprefix("memory:///"))
        if audio is None:
            problems.append("completed, but there is no audio")
        elif hashlib.sha256(audio).hexdigest() != answer.audio.sha256:
            problems.append("the audio has another sha256")
        elif not any(audio[_WAV_HEAD:]):
            problems.append("completed with silence")
        if not isinstance(verdict.state, Completed) or verdict.state.audio != answer.audio:
            problems.append("the result says something else than its verdict")
    elif "killed its worker" in answer.message and world.store.alone[place] < world.shared.settings.engine.attempts:
        problems.append("taken for poison, and it was not alone so often")
    elif not verdict.deleted and (isinstance(verdict.state, Completed) or verdict.state.code != answer.code):
        problems.append("failed, but its verdict says something else")
    return problems


def _redriven(world: World, answers: dict[Job, list[Result]]) -> list[str]:
    """A further generation follows a failure alone, and every failure that a redrive took found its successor."""
    problems = []
    for (identity, generation), found in answers.items():
        followed = answers.get((identity, generation - 1), [])
        if generation > 1 and found and not (followed and isinstance(followed[0], SpeechFailed)):
            problems.append(f"{identity}: generation {generation}, and the one before did not fail")
    for identity, generation in sorted(world.redrives.found, key=repr):
        if not answers.get((identity, generation + 1)) and identity not in world.deletions.done:
            problems.append(f"{identity}: generation {generation} failed and was redriven, and nothing came of it")
    return problems


def _conflicts(world: World, claims: dict[Job, list[Published]], failed: list[SpeechFailed]) -> list[str]:
    """Each record that was sent with other content than its id's verdict ends as one conflict, and no other does."""
    by_place = {(published.partition, published.offset): published.sent for published in world.senders.published}
    seen: dict[tuple[int, int], int] = defaultdict(int)
    for failure in failed:
        if failure.code == "id_conflict":
            seen[failure.position.partition, failure.position.offset] += 1
    problems = []
    for job, claimants in claims.items():
        verdict = Verdicts(world.store).read(*job)
        for published in claimants:
            owner = by_place.get((verdict.owner.partition, verdict.owner.offset)) if verdict else None
            expected = int(owner is not None and owner.fingerprint != published.sent.fingerprint)
            got = seen[published.partition, published.offset]
            if job[0] in world.deletions.done and job[1] > 1:
                expected = min(got, 1)  # no redrive follows what was deleted, and which was first does not show
            if got != expected:
                problems.append(f"{job}: {got} conflicts at {published.partition}/{published.offset}, not {expected}")
    return problems
