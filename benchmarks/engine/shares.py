"""How long each stage took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Shares:
    """Seconds by the name of a stage, and of each call where it is kept."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def timed(self, name: str, work: Callable[[], Any], each: Callable[[float], None] | None = None) -> Any:
        """The same work, timed at each call; `each` is told how long it took."""

        def timed() -> Any:
            began = time.perf_counter()
            try:
                return work()
            finally:
                spent = time.perf_counter() - began
                self.add(name, spent)
                if each is not None:
                    each(spent)

        return timed
