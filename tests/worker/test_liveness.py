from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from streamer.clock import ManualClock
from streamer.worker.liveness import STUCK, Liveness, Watchdog


def test_a_call_is_stuck_only_past_its_limit() -> None:
    clock = ManualClock()
    liveness = Liveness(clock)
    with liveness.call("poll", 30):
        assert liveness.stuck() is None
        clock.advance(30)
        assert liveness.stuck() is None
        clock.advance(0.1)
        assert liveness.stuck() == "poll"
    assert liveness.stuck() is None


def test_no_call_under_way_is_never_stuck() -> None:
    clock = ManualClock()
    liveness = Liveness(clock)
    clock.advance(1e6)
    assert liveness.stuck() is None


def test_a_call_within_a_call_has_its_own_limit() -> None:
    clock = ManualClock()
    liveness = Liveness(clock)
    with liveness.call("poll", 30):
        with liveness.call("transaction", 10):
            clock.advance(11)
            assert liveness.stuck() == "transaction"
        assert liveness.stuck() is None
        clock.advance(20)
        assert liveness.stuck() == "poll"


def test_a_call_that_raises_is_over() -> None:
    clock = ManualClock()
    liveness = Liveness(clock)
    with pytest.raises(ValueError, match="x"), liveness.call("poll", 30):
        raise ValueError("x")
    clock.advance(100)
    assert liveness.stuck() is None


def test_a_watchdog_that_is_closed_ends() -> None:
    before = set(threading.enumerate())
    watchdog = Watchdog(lambda: None, interval=0.01)
    (thread,) = set(threading.enumerate()) - before
    watchdog.close()
    thread.join(10)
    assert not thread.is_alive()


STUCK_PROCESS = """
import threading, time
from streamer.clock import SystemClock
from streamer.worker.liveness import Liveness, Watchdog

def hangs_in_here():
    threading.Event().wait()

liveness = Liveness(SystemClock())
watchdog = Watchdog(liveness.stuck, interval=0.01)
with liveness.call("init_transactions", 0.05):
    hangs_in_here()
"""


def test_a_stuck_process_leaves_with_its_stacks() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK_PROCESS], capture_output=True, text=True, timeout=60)
    assert ended.returncode == STUCK == 70
    assert "init_transactions is stuck past its limit" in ended.stderr
    assert "hangs_in_here" in ended.stderr
    assert "_watch" in ended.stderr
