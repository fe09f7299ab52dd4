"""How long each stage took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Shares:
    """Seconds by the name of a stage. Thread safe."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def timed(self, name: str, work: Callable[[], Any], each: Callable[[float], None]) -> Callable[[], Any]:
        """The same work, timed at each call; `each` is told how long it took, when it went well."""

        def timed() -> Any:
            began = time.perf_counter()
            result = work()
            spent = time.perf_counter() - began
            self.add(name, spent)
            each(spent)
            return result

        return timed
