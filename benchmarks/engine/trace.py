"""What a GPU did in a window, from a trace of torch's profiler: how long nothing, and which stage asked for what.

Within the window nothing is told by sampling, as nvidia-smi does: every kernel and copy has its begin and end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

WINDOW = "benchmark window"
"""The range whose begin and end are those of the window."""
STAGE = "benchmark stage "
"""What the name of a stage's range begins with."""
OTHERS = "others"
_WORK = {"kernel", "gpu_memcpy", "gpu_memset"}
_CALLS = {"cuda_runtime", "cuda_driver"}


class Interval(NamedTuple):
    """Microseconds."""

    begin: float
    end: float


class Seen(NamedTuple):
    idle: float
    """Share of the window in which no stream did anything."""
    stages: dict[str, float]
    """Seconds of work that each stage asked for, all streams added."""
    steps: dict[str, list[float]]
    """Of each stage, seconds from the first to the last work of each range of it that asked for any."""


def seen(events: Sequence[Mapping[str, Any]]) -> Seen:
    """Of the `traceEvents` of a trace with a `WINDOW`. Errors: ValueError where that or all work is missing."""
    ranges = [event for event in events if event.get("cat") == "user_annotation"]
    windows = [_interval(event) for event in ranges if event["name"] == WINDOW]
    work = [event for event in events if event.get("cat") in _WORK]
    if len(windows) != 1 or not work:
        raise ValueError(f"the trace has {len(windows)} windows and {len(work)} pieces of work of a GPU")
    (window,) = windows
    calls = {event["args"]["correlation"]: event["ts"] for event in events if event.get("cat") in _CALLS}
    asking = sorted((_interval(event), event["name"].removeprefix(STAGE)) for event in ranges if _of_stage(event))
    begins = [interval.begin for interval, _ in asking]
    by_range: dict[int, list[Interval]] = {}
    stages: dict[str, float] = {}
    for event in work:
        place = bisect_right(begins, calls.get(event["args"].get("correlation"), -1.0)) - 1
        asked = place >= 0 and calls[event["args"]["correlation"]] <= asking[place][0].end
        name = asking[place][1] if asked else OTHERS
        stages[name] = stages.get(name, 0.0) + event["dur"] / 1e6
        if asked:
            by_range.setdefault(place, []).append(_interval(event))
    steps: dict[str, list[float]] = {}
    for place, intervals in sorted(by_range.items()):
        spent = max(each.end for each in intervals) - min(each.begin for each in intervals)
        steps.setdefault(asking[place][1], []).append(spent / 1e6)
    return Seen(idle(map(_interval, work), window), stages, steps)


def idle(work: Iterable[Interval], window: Interval) -> float:
    """Share of the window that lies in no interval, wherever they overlap and whatever reaches beyond it."""
    busy, reached = 0.0, window.begin
    for begin, end in sorted(work):
        begin, end = max(begin, reached), min(end, window.end)
        if end > begin:
            busy += end - begin
            reached = end
    return 1.0 - busy / (window.end - window.begin)


def _interval(event: Mapping[str, Any]) -> Interval:
    return Interval(float(event["ts"]), float(event["ts"]) + float(event["dur"]))


def _of_stage(event: Mapping[str, Any]) -> bool:
    return str(event["name"]).startswith(STAGE)
