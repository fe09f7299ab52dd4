"""SIGINT and SIGTERM as a question that loops ask, never as an exception out of nowhere."""

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


class Interruption:
    """Raises KeyboardInterrupt where it is called, once the process was asked to end; further signals change nothing.

    A handler that raises by itself may strike where the exception is lost (a destructor) or becomes another one (code
    called from C).
    """

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def __call__(self) -> None:
        if self._asked:
            raise KeyboardInterrupt

    def _ask(self, _number: int, _: FrameType | None) -> None:
        self._asked = True
