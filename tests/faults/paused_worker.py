"""`streamer` with one difference: while `FOLDER/<instance>.pause` exists, a transaction that is complete but
for its commit says so in `<instance>.held` and waits there.

    python paused_worker.py FOLDER worker --instance a
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import streamer.kafka.confluent as confluent
import streamer.worker.supervisor as supervisor
from streamer.cli.main import main
from streamer.kafka.base import Message
from streamer.kafka.confluent_producer import ConfluentProducer

_FOLDER = Path(sys.argv.pop(1))


class PausingProducer(ConfluentProducer):
    """Results produced and at the broker, offsets sent, and then no commit."""

    _produced = 0

    def begin(self) -> None:
        self._produced = 0
        super().begin()

    def produce(self, message: Message) -> None:
        super().produce(message)
        self._produced += 1

    def commit(self, timeout: float) -> None:
        pause = _FOLDER / f"{_instance()}.pause"
        if self._produced and pause.exists():
            remained = self._client.flush(10)
            if not remained:
                (_FOLDER / f"{_instance()}.new").write_text(f"{os.getpid()} {self._produced}")
                (_FOLDER / f"{_instance()}.new").replace(_FOLDER / f"{_instance()}.held")
                while pause.exists():
                    time.sleep(0.01)
        super().commit(timeout)


def _instance() -> str:
    return sys.argv[len(sys.argv) - 1 - sys.argv[::-1].index("--instance") + 1]


_shipped = supervisor.arguments


def _ourselves(base: Sequence[str], instance: str, slot: int, slots: int) -> list[str]:
    """The supervisor starts this program again, instead of `python -m streamer`."""
    given = list(base)[list(base).index("streamer") + 1 :]
    return _shipped([sys.executable, __file__, str(_FOLDER), *given], instance, slot, slots)


if __name__ == "__main__":
    setattr(confluent, "ConfluentProducer", PausingProducer)  # noqa: B010 - what the module imported is not its own
    supervisor.arguments = _ourselves
    main()
