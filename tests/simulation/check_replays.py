"""What replays said and did, checked on tts.replayed, the commits of their groups and the store alone."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from streamer.kafka.base import Partition
from streamer.records import Outcome, SpeechReplayed
from streamer.store.verdicts import Completed, Failed, Verdict
from streamer.worker.metadata import MetadataCodec
from streamer.worker.replay.run import Mode, Run
from tests.simulation.workload import TOPIC, Published
from tests.simulation.world import World

Place = tuple[int, int]


def check_replays(world: World) -> list[str]:
    """What is wrong, a line each."""
    found: dict[str, list[SpeechReplayed]] = defaultdict(list)
    for result in world.topics.replayed():
        found[result.run].append(result)
    runs = {run.label: run for run in world.replays.begun()}
    problems = [f"{label}: results of a run that never was" for label in found.keys() - runs.keys()]
    for label, run in runs.items():
        problems += [f"run {label}: {problem}" for problem in _run(world, run, found[label])]
    return problems


def _run(world: World, run: Run, results: list[SpeechReplayed]) -> Iterator[str]:
    answers: dict[Place, list[SpeechReplayed]] = defaultdict(list)
    for result in results:
        answers[result.position.partition, result.position.offset].append(result)
    asked = set(_records(world, run))
    for place in answers.keys() - asked:
        yield f"a result at {place}, which is none of its records"
    by_place = world.senders.by_place()
    for place in sorted(asked):
        if len(answers[place]) != 1:
            yield f"{len(answers[place])} results at {place} instead of one"
            continue
        truth = _Truth(world, run, by_place[place], answers[place][0])
        yield from (f"{place}: {answers[place][0].outcome}, {problem}" for problem in truth.problems())
    yield from _commits(world, run)
    if run.mode is Mode.VERIFY:
        yield from _writes(world, run)


def _records(world: World, run: Run) -> Iterator[Place]:
    for number, asked in run.ranges.items():
        records, _ = world.cluster.log(Partition(TOPIC, number)).read(asked.begin, 10_000)
        yield from ((number, record.offset) for record in records if record.offset < asked.end)


def _commits(world: World, run: Run) -> Iterator[str]:
    """Every partition is committed to the very end of its range, and nothing above."""
    commits = world.topics.commits(run.group(world.shared.settings.kafka.group))
    for number, asked in run.ranges.items():
        commit = commits.get(Partition(TOPIC, number))
        if not asked.size:
            continue
        if commit is None or commit.offset != asked.end:
            yield f"partition {number}: committed {commit and commit.offset}, the range ends at {asked.end}"
            continue
        store_id = world.store.get("store/id") or b""
        finished = MetadataCodec(store_id.decode(), world.topic_id).decode(commit)
        if finished.top != asked.end:
            yield f"partition {number}: finished up to {finished.top}, the range ends at {asked.end}"


def _writes(world: World, run: Run) -> Iterator[str]:
    for process in world.replays.processes:
        if process.name.startswith(f"{run.name}-"):
            for name in sorted(world.store.writers.get(process.name, ())):
                if name.endswith(".wav") or name.startswith("verdict-"):
                    yield f"it only verifies, and {process.name} wrote {name}"


class _Truth:
    """One result against what was published, and what was decided in the store."""

    def __init__(self, world: World, run: Run, published: Published, result: SpeechReplayed) -> None:
        self._world, self._run, self._published, self._result = world, run, published, result
        self._identity = published.identity(world.topic_id)
        self._own = self._decided(published.sent.generation)
        self._deleted = self._identity in world.deletions.done

    def problems(self) -> Iterator[str]:
        if (self._result.source, self._result.id) != (self._identity.source, self._identity.id):
            yield "of another id"
        elif self._result.outcome == Outcome.SKIPPED:
            yield from self._skipped(*self._result.reasons)
        elif self._own is None or not self._owns:
            yield "and the record does not own its verdict"
        else:
            yield from self._spoken()

    def _skipped(self, reason: str) -> Iterator[str]:
        own, sent = self._own, self._published.sent
        redriven = sent.generation > 1 and self._deleted
        if reason == "undecodable":
            true = sent.expected == {"undecodable"}
        elif reason in ("duplicate", "conflict"):
            other = own is not None and not self._owns
            true = redriven or (
                other and own is not None and (own.fingerprint == sent.fingerprint) is (reason == "duplicate")
            )
        elif reason == "failed":
            true = self._owns and own is not None and isinstance(own.state, Failed)
        elif reason == "deleted":
            true = self._deleted
        else:
            true = reason == "undecided" and (own is None or own.decided_at >= self._run.created_at)
        if not true:
            yield f"which is not so: {reason}"

    def _spoken(self) -> Iterator[str]:
        result = self._result
        current = self._decided(result.generation)
        if current is None or not isinstance(current.state, Completed):
            yield f"and generation {result.generation} has no audio"
        elif result.outcome == Outcome.PROMOTED:
            yield from self._promoted(current, current.state)
        elif result.previous != current.state.audio:
            yield f"and generation {result.generation} had another audio before"
        elif result.outcome == Outcome.FAILED:
            yield from self._failed()
        else:
            yield from self._compared(current.state)
        if result.audio is not None:
            yield from self._heard()

    def _promoted(self, current: Verdict, state: Completed) -> Iterator[str]:
        result, before = self._result, self._decided(self._result.generation - 1)
        if self._run.mode is not Mode.PROMOTE:
            yield "and the run promotes nothing"
        if current.run != self._run.label:
            yield f"and verdict {result.generation} names run {current.run!r}"
        if state.audio != result.audio:
            yield "and the verdict names another audio"
        if before is None or not isinstance(before.state, Completed) or before.state.audio != result.previous:
            yield "and what was current before had another audio"

    def _compared(self, current: Completed) -> Iterator[str]:
        result = self._result
        if result.audio is None or result.engine is None:
            yield "and says nothing of what was made"
            return
        same = result.audio.sha256 == current.audio.sha256
        missing = "missing" in result.reasons
        if missing and not self._deleted:
            yield "and says that the current file is missing"
        if (result.outcome == Outcome.IDENTICAL) is not (same and not missing):
            yield "and the bytes say otherwise"
        if result.outcome == Outcome.DIFFERENT and self._run.mode is Mode.PROMOTE and not missing:
            yield "and was not promoted"
        if not same and ("engine" in result.reasons) is not (result.engine.revision != current.recipe.revision):
            yield f"because of {result.reasons}: {current.recipe.revision} and {result.engine.revision}"
        if "nondeterminism" in result.reasons:
            yield "and this engine is deterministic"

    def _failed(self) -> Iterator[str]:
        text = self._published.sent.text
        excused = {
            "synthesis_failed": "killer" in text or self._world.engine_fails,
            "speech_rejected": "speech flawed" in self._world.seen,
            "template_error": not text,
        }
        if not excused.get(self._result.code or ""):
            yield f"as {self._result.code}"

    def _heard(self) -> Iterator[str]:
        """The engine makes these samples of the text, and no others."""
        result = self._result
        if result.audio is None or result.engine is None:
            yield "and an audio that no engine made"
            return
        words = f"{result.text}|{result.voice}|{result.engine.seed}|{result.engine.revision}"
        samples = hashlib.sha256(words.encode()).digest()
        if result.audio.pcm_sha256 != hashlib.sha256(samples).hexdigest():
            yield "and it is not what the engine makes of that text"

    @property
    def _owns(self) -> bool:
        own, published = self._own, self._published
        return own is not None and (own.owner.partition, own.owner.offset) == (published.partition, published.offset)

    def _decided(self, generation: int) -> Verdict | None:
        """As it was put first, whatever stands there now."""
        data = self._world.store.decided.get(f"{self._identity.folder}/verdict-{generation}.json")
        return None if data is None else msgspec.json.decode(data, type=Verdict)
