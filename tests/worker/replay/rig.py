"""A cluster in memory whose requests were spoken, and runs that replay them; shipped workers but for their pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry

from streamer.engines.base import Failure, Speech, Synthesizer
from streamer.engines.tone import ToneSynthesizer
from streamer.identity import Identity
from streamer.kafka.base import Message, Partition
from streamer.observe.logs import Log, logger
from streamer.observe.metrics import Metrics
from streamer.records import Outcome, SpeechReplayed
from streamer.render.events import Events
from streamer.settings import Audio, Tone
from streamer.store.verdicts import Completed, Verdict, Verdicts, audio_key, generation_of
from streamer.voices import Voices
from streamer.worker.assembly import Surroundings, assemble, assemble_replay
from streamer.worker.liveness import Liveness
from streamer.worker.loop import Worker
from streamer.worker.replay.run import Mode, Range, Run
from streamer.worker.start import Allowed
from streamer.worker.synthesis import EngineHost
from tests.worker.builders import CODECS, NO_EVENTS, TOPIC, VOICES, HandPool, Rig, Running, ScriptedEngine


def tone(seconds: float = 0.005, **settings: float) -> ToneSynthesizer:
    """Another `seconds` a character is another revision, and other bytes."""
    tone = Tone.model_validate({"seconds_per_character": seconds} | settings)
    return ToneSynthesizer(tone, lambda seconds: None)


class Fickle(ToneSynthesizer):
    """Never says the same twice, and does not say so."""

    def __init__(self) -> None:
        super().__init__(Tone(), lambda seconds: None)
        self._said = 0

    def step(self) -> list[Speech | Failure]:
        self._said += 1
        return [
            Speech(report.ticket, report.samples + self._said) if isinstance(report, Speech) else report
            for report in super().step()
        ]


class Deployed(NamedTuple):
    """What is installed: the engine, and the files of configs/."""

    engine: Callable[[], Synthesizer] = tone
    voices: Voices = VOICES
    events: Events = NO_EVENTS
    audio: Audio = Audio()


AS_EVER = Deployed()
ANOTHER = Deployed(engine=lambda: tone(0.006))


class Heard:
    """A log that remembers its warnings."""

    def __init__(self) -> None:
        self.warnings: list[tuple[str, Mapping[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None:
        self.warnings.append((event, fields))

    def bind(self, **fields: object) -> Log:
        return self


class Process(Running):
    """One worker; dropped, it was killed."""

    def __init__(
        self, rig: ReplayRig, put_together: Callable[[Surroundings], Worker], deployed: Deployed, log: Log
    ) -> None:
        self.host = EngineHost(deployed.engine(), rig.clock)
        self.pool, self.clock = HandPool(), rig.clock
        around = Surroundings(
            rig.cluster.broker(),
            rig.store,
            self.host,
            self.pool,
            rig.codecs,
            deployed.voices,
            deployed.events,
            rig.clock,
            log,
            Metrics(CollectorRegistry()),
            Liveness(rig.clock),
        )
        self.worker = put_together(around)
        self.worker.begin(TOPIC)


class ReplayRig(Rig):
    def speak(self, deployed: Deployed = AS_EVER) -> None:
        """The service speaks all there is."""
        settings = self.settings.model_copy(update={"audio": deployed.audio})
        process = Process(self, lambda around: assemble(around, settings, "s", Allowed()), deployed, logger("error"))
        process.until(lambda: self.reached(self.settings.kafka.group, self.ends()), turns=1000)
        process.worker.close()

    def ends(self) -> dict[int, int]:
        return {log.partition.number: log.end for log in self.cluster.logs(TOPIC)}

    def reached(self, group: str, ends: Mapping[int, int]) -> bool:
        commits = self.cluster.group(group).commits
        return all(
            (commit := commits.get(Partition(TOPIC, number))) is not None and commit.offset >= end
            for number, end in ends.items()
        )

    def run(
        self, mode: Mode = Mode.VERIFY, name: str = "run", number: int = 1, ranges: dict[int, Range] | None = None
    ) -> Run:
        return Run(
            name=name,
            number=number,
            mode=mode,
            asked="{}",
            ranges=ranges or {partition: Range(0, end) for partition, end in self.ends().items()},
            replayed_from=dict.fromkeys(self.ends(), 0),
            created_at=0,
        )

    def replaying(self, run: Run, deployed: Deployed = AS_EVER, instance: str = "r", log: Log | None = None) -> Process:
        """A worker of the run."""
        settings = self.settings.model_copy(update={"audio": deployed.audio})
        return Process(
            self,
            lambda around: assemble_replay(around, settings, run, instance),
            deployed,
            log or logger("error"),
        )

    def finished(self, run: Run) -> bool:
        asked = {number: found.end for number, found in run.ranges.items() if found.size}
        return self.reached(run.group(self.settings.kafka.group), asked)

    def replay(self, run: Run, deployed: Deployed = AS_EVER) -> list[SpeechReplayed]:
        """From its first record to its last; what it said."""
        process = self.replaying(run, deployed)
        process.until(lambda: self.finished(run), turns=1000)
        process.worker.close()
        return self.replayed(run)

    def replayed(self, run: Run | None = None) -> list[SpeechReplayed]:
        """What stands on tts.replayed, by position."""
        values = [CODECS.replayed.decode(value) for value in self._values("tts.replayed")]
        mine = [value for value in values if run is None or value.run == run.label]
        return sorted(mine, key=lambda one: (one.position.partition, one.position.offset))

    def abort_something(self, partition: int = 0) -> None:
        """A record that nobody reads, and its transaction's marker."""
        sender = self.cluster.broker().producer("sender")
        sender.init(1)
        sender.begin()
        sender.produce(Message(topic=TOPIC, key=b"k", value=b"aborted", partition=partition))
        sender.abort(1)

    def verdicts(self, id: str) -> list[Verdict]:
        verdicts, identity = Verdicts(self.store), Identity("shop", id)
        found = [verdicts.read(identity, number) for number in verdicts.generations(identity)]
        return [verdict for verdict in found if verdict is not None]

    def files(self, id: str) -> list[str]:
        """Keys of the audio that is kept of it."""
        return sorted(key for key in self.store.list(f"{Identity('shop', id).folder}/") if not generation_of(key))

    def lose(self, id: str) -> str:
        """Its current audio's file; the key."""
        key = file_of(self.verdicts(id)[-1])
        self.store.delete(key)
        return key

    def objects(self) -> dict[str, bytes]:
        return {key: self.store.get(key) or b"" for key in self.store.list("")}


def file_of(verdict: Verdict) -> str:
    assert isinstance(verdict.state, Completed)
    return audio_key(verdict.identity, verdict.state.audio)


def outcomes(replayed: list[SpeechReplayed]) -> list[str]:
    return [one.outcome for one in replayed]


def told(replayed: list[SpeechReplayed]) -> list[tuple[str, list[str]]]:
    return [(one.outcome, one.reasons) for one in replayed]


IDENTICAL, DIFFERENT, PROMOTED, FAILED, SKIPPED = (outcome.value for outcome in Outcome)


def spoken(*ids: str, deployed: Deployed = AS_EVER, **fields: Any) -> ReplayRig:
    """A rig whose service has spoken these."""
    rig = ReplayRig()
    for id in ids or ("a",):
        rig.publish(id, f"the text of {id}" if "event" not in fields else None, **fields)
    rig.speak(deployed)
    return rig


def the_only(replayed: list[SpeechReplayed]) -> SpeechReplayed:
    assert len(replayed) == 1
    return replayed[0]


def engine(**trouble: Any) -> ScriptedEngine:
    made = ScriptedEngine(10_000)
    for name, value in trouble.items():
        setattr(made, name, value)
    return made


def refusing() -> Synthesizer:
    return engine(fails=Everything())


class Everything(set[Any]):
    def __contains__(self, any: object) -> bool:
        return True
