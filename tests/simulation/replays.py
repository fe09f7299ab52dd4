"""`streamer replay`: named runs over a range that is fixed at some moment, each by one or two processes."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from streamer.errors import ConfigurationError
from streamer.kafka.base import Broker, Partition
from streamer.settings import Settings
from streamer.store.base import Store
from streamer.store.groups import Groups
from streamer.store.verdicts import Verdicts
from streamer.worker.metadata import MetadataCodec
from streamer.worker.replay.joining import Asked, Joining
from streamer.worker.replay.progress import Progress
from streamer.worker.replay.resolver import Resolver
from streamer.worker.replay.run import Mode, Run, Runs
from streamer.worker.replay.selection import Selection
from streamer.worker.replay.starts import anew
from tests.simulation.deployment import Deployment
from tests.simulation.faults import Striker
from tests.simulation.process import Life, Process
from tests.simulation.senders import Senders
from tests.simulation.workload import TOPIC

_CALL = 1.0
_LOOK = 0.3
"""How likely a process asks how far its run is, each turn."""


class Replays:
    """`processes`: of all runs, those that ended among them."""

    def __init__(
        self,
        deployment: Deployment,
        broker: Broker,
        store: Store,
        settings: Settings,
        topic_id: uuid.UUID,
        senders: Senders,
        striker: Striker,
        elsewhere: Callable[[Process, str, float], None],
    ) -> None:
        self.processes: list[Process] = []
        self.runs = Runs(store, topic_id, settings.kafka.group)
        self._deployment, self._admin, self._store, self._settings = deployment, broker.admin(), store, settings
        self._topic_id, self._senders, self._striker, self._elsewhere = topic_id, senders, striker, elsewhere
        self._names = 0

    @property
    def active(self) -> list[Process]:
        return [process for process in self.processes if not process.ended]

    def begun(self) -> list[Run]:
        """As they stand in the store."""
        found = (self.runs.latest(f"run-{number + 1}") for number in range(self._names))
        return [run for run in found if run is not None]

    def begin(self) -> None:
        """A new run, or one more over the same records; its processes find out the range when they start."""
        rng = self._striker.rng
        self._names += 1
        mode = rng.choice([*Mode, Mode.PROMOTE, Mode.PROMOTE])
        asked = Asked(f"run-{self._names}", self._selection(), mode)
        for number in range(rng.choice([1, 2])):
            name = f"{asked.name}-{number}-{mode}"
            self.processes.append(
                Process(name, lambda instance: self._start(asked, instance), self._striker, self._elsewhere)
            )

    def _selection(self) -> Selection:
        rng = self._striker.rng
        kind = rng.choices(["all", "partition", "id"], [6, 1, 1])[0]
        if kind == "id":
            identity = rng.choice(self._senders.published).identity(self._topic_id)
            return Selection(identity=identity)
        if kind == "partition":
            return Selection(partitions=(0,), begin=rng.randrange(2))
        return Selection(everything=True)

    def _start(self, asked: Asked, instance: str) -> Life | None:
        """As the command line does. None: nothing is to be replayed."""
        joining = self._joining()
        try:
            found = joining.find(asked)
        except ConfigurationError:
            return None  # the one id that was asked for has no audio, or the partition is shorter
        if not any(range.size for range in found.run.ranges.values()):
            return None
        run = joining.begin(asked, found)
        progress = self._progress(run)
        if progress.look(_CALL).finished:
            return None
        life = self._deployment.replay(run, instance)
        return life._replace(over=lambda: self._striker.rng.random() < _LOOK and progress.look(_CALL).finished)

    def _joining(self) -> Joining:
        requests = self._admin.topics([TOPIC], _CALL)[TOPIC]
        if requests is None:
            raise ValueError("the request topic is gone")
        now = self._striker.clock.now
        resolver = Resolver(self._admin, requests, Verdicts(self._store), now)
        replayed = [Partition("tts.replayed", number) for number in range(requests.partitions)]
        group = self._settings.kafka.group
        return Joining(self.runs, resolver, self._admin, replayed, self._progress, group=group, now=now)

    def _progress(self, run: Run) -> Progress:
        codec = MetadataCodec(Groups(self._store).store_id(), self._topic_id, anew(run))
        return Progress(self._admin, codec, run, self._settings.kafka.group, TOPIC)
