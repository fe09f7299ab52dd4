"""Two workers that are killed again and again, and started again where their supervisor went too."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from streamer.embedded.broker import EmbeddedKafka
from streamer.observe.logs import COMMITTED
from tests.faults.cluster import Deployment, until
from tests.faults.workers import Worker, children

Start = Callable[[str], Worker]


class Storm:
    """Counts what it did. A worker is only killed while it has unfinished records: it is stopped, looked at, and only
    then killed, so that what its log says holds at that moment."""

    def __init__(self, deployment: Deployment, start: Start, names: Sequence[str] = ("a", "b")) -> None:
        self._folder, self._start = deployment.folder, start
        self.workers = {name: start(name) for name in names}
        self._former: list[Worker] = []
        self.kills = self.inside = self.trees = self.broker_kills = 0
        self.unfinished: list[int] = []
        """At each kill of a worker: how many records it had."""
        self.held: list[int] = []
        """At each kill within a transaction: how many results it had produced."""

    @property
    def all(self) -> list[Worker]:
        return [*self._former, *self.workers.values()]

    def committed(self) -> int:
        """Lines COMMITTED of all processes so far; a process that died may have committed more than it told."""
        return sum(len(worker.journal.of(COMMITTED)) for worker in self.all)

    def progress(self, records: int) -> None:
        """Wait for `records` more to be committed."""
        goal = self.committed() + records
        until(lambda: self.committed() >= goal, f"{records} more records committed")

    def stop_one(self, preferred: str) -> tuple[Worker, int]:
        """A worker stopped with unfinished records, and its process."""
        order = sorted(self.workers.values(), key=lambda worker: worker.instance != preferred)

        def caught() -> tuple[Worker, int] | None:
            for worker in order:
                child = worker.caught_unfinished()
                if child is not None:
                    return worker, child
            return None

        found = until(caught, "a worker with unfinished records")
        assert found is not None
        return found

    def kill(self, preferred: str, *, tree: bool) -> None:
        """SIGKILL one worker: its process, or its supervisor, which takes the process along."""
        worker, child = self.stop_one(preferred)
        self._end(worker, child, tree=tree)

    def kill_helper(self, preferred: str, module: str) -> None:
        """SIGKILL the child process of a worker's own process that runs this module; the worker goes on."""
        _, child = self.stop_one(preferred)
        helpers = [pid for pid in children(child) if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert len(helpers) == 1, helpers
        os.kill(helpers[0], signal.SIGKILL)
        os.kill(child, signal.SIGCONT)

    def kill_inside(self, *, tree: bool) -> None:
        """The same between `begin` and `commit`: results produced and offsets sent. For paused_worker.py."""
        for name in self.workers:
            (self._folder / f"{name}.held").unlink(missing_ok=True)
            (self._folder / f"{name}.pause").touch()

        def held() -> Worker | None:
            names = [name for name in self.workers if (self._folder / f"{name}.held").exists()]
            return self.workers[names[0]] if names else None

        worker = until(held, "a worker about to commit")
        assert worker is not None
        pid, produced = map(int, (self._folder / f"{worker.instance}.held").read_text().split())
        assert pid == worker.child
        assert produced > 0
        self._end(worker, pid, tree=tree)
        self.inside += 1
        self.held.append(produced)
        for name in self.workers:
            (self._folder / f"{name}.pause").unlink()

    def kill_broker(self, kafka: EmbeddedKafka) -> None:
        """SIGKILL, and the same broker again on the same data and port."""
        assert sum(worker.unfinished() for worker in self.workers.values()) > 0
        kafka.kill()
        self.broker_kills += 1
        kafka.start()
        kafka.ready(120.0)

    def drain(self) -> None:
        """SIGTERM to all; each must end by itself, in order."""
        for worker in self.workers.values():
            assert worker.terminate() == 0, worker.journal.text()[-3000:]

    def _end(self, worker: Worker, child: int, *, tree: bool) -> None:
        unfinished = worker.unfinished()
        assert unfinished > 0
        if tree:
            worker.kill()
            self._former.append(worker)
            self.workers[worker.instance] = self._start(worker.instance)
        else:
            os.kill(child, signal.SIGKILL)
            until(lambda: worker.child != child, "the process is gone")
        self.kills += 1
        self.trees += tree
        self.unfinished.append(unfinished)
