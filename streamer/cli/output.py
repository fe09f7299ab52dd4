"""Whether anybody still reads what is printed."""

from __future__ import annotations

import select
import sys


class Output:
    """Standard output. A pipe whose reader left says so only to who writes, or asks."""

    def __init__(self) -> None:
        self._hang_ups = select.poll()
        if sys.stdout is not None:  # closed by whoever started us
            self._hang_ups.register(sys.stdout.fileno(), 0)

    def check(self) -> None:
        """Errors: BrokenPipeError once the reader is gone."""
        if self._hang_ups.poll(0):
            raise BrokenPipeError
