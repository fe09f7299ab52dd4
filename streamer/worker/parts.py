"""Parts: what a pipeline is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streamer.clock import Clock
from streamer.store.attempts import Attempts
from streamer.worker.admission import Admission
from streamer.worker.dead_letters import DeadLetters
from streamer.worker.duty import Duty
from streamer.worker.journal import Journal
from streamer.worker.pool import Pool
from streamer.worker.prompts import Prompts
from streamer.worker.synthesis import EngineHost
from streamer.worker.task import TaskReader
from streamer.worker.utterances import Utterances


class Parts(NamedTuple):
    reader: TaskReader
    load_schema: Callable[[int], None]
    """In the pool; errors: RegistryUnavailable."""
    pool: Pool
    duty: Duty
    engine: EngineHost
    admission: Admission
    attempts: Attempts
    utterances: Utterances
    prompts: Prompts
    dead_letters: DeadLetters
    journal: Journal
    clock: Clock
