"""SIGINT and SIGTERM as a question that loops ask."""

from __future__ import annotations

import signal
from types import FrameType


class Stop:
    """True once the process was asked to end. The second signal acts as it does by default."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def __call__(self) -> bool:
        return self._asked

    def _ask(self, number: int, _: FrameType | None) -> None:
        self._asked = True
        signal.signal(number, signal.SIG_DFL)
