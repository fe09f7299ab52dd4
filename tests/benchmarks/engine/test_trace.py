"""A GPU's idle time and its stages, from the events of a trace."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.engine.trace import STAGE, WINDOW, Interval, idle, seen


def event(kind: str, name: str, begin: float, spent: float, correlation: int | None = None) -> dict[str, Any]:
    arguments = {} if correlation is None else {"correlation": correlation}
    return {"ph": "X", "cat": kind, "name": name, "ts": begin, "dur": spent, "args": arguments}


def test_idle_is_what_no_stream_covers() -> None:
    window = Interval(100.0, 200.0)
    assert idle([], window) == 1.0
    assert idle([Interval(0, 300)], window) == 0.0
    assert idle([Interval(90, 120), Interval(110, 130), Interval(150, 160), Interval(190, 250)], window) == 0.5
    assert idle([Interval(150, 160), Interval(90, 120), Interval(100, 105), Interval(300, 400)], window) == 0.7


whole = st.integers(0, 60)


@given(st.lists(st.tuples(whole, whole), max_size=12))
def test_idle_is_the_share_of_moments_in_no_interval(pairs: list[tuple[int, int]]) -> None:
    intervals = [Interval(min(pair), max(pair)) for pair in pairs]
    moments = range(10, 50)
    free = [moment for moment in moments if not any(one.begin <= moment < one.end for one in intervals)]
    assert idle(intervals, Interval(10, 50)) == pytest.approx(len(free) / len(moments))


def test_work_is_the_stages_that_asked_for_it() -> None:
    trace = [
        event("user_annotation", WINDOW, 0, 1000),
        event("user_annotation", f"{STAGE}LLM", 100, 50),
        event("user_annotation", f"{STAGE}flow", 200, 50),
        event("user_annotation", f"{STAGE}LLM", 300, 50),
        event("gpu_user_annotation", f"{STAGE}LLM", 0, 1000),  # no work, but the range as the GPU sees it
        event("cuda_runtime", "cudaGraphLaunch", 110, 5, 1),
        event("cuda_driver", "cuLaunchKernel", 210, 5, 2),
        event("cuda_runtime", "cudaMemcpyAsync", 270, 5, 3),
        event("cuda_runtime", "cudaGraphLaunch", 310, 5, 4),
        event("kernel", "product", 120, 100, 1),
        event("kernel", "attention", 220, 80, 1),
        event("kernel", "convolution", 250, 200, 2),
        event("gpu_memcpy", "copy", 500, 50, 3),
        event("gpu_memset", "zeros", 550, 50, 99),
        event("kernel", "product", 600, 100, 4),
        {"ph": "M", "name": "process_name"},
    ]
    found = seen(trace)
    assert found.idle == pytest.approx(1 - (450 - 120 + 200) / 1000)
    assert found.stages == pytest.approx({"LLM": 280e-6, "flow": 200e-6, "others": 100e-6})
    assert found.steps == {"LLM": pytest.approx([180e-6, 100e-6]), "flow": pytest.approx([200e-6])}


def test_a_trace_without_a_window_or_without_work_tells_nothing() -> None:
    window = event("user_annotation", WINDOW, 0, 1000)
    with pytest.raises(ValueError, match="1 windows and 0 pieces"):
        seen([window, event("cpu_op", "aten::add", 1, 1)])
    with pytest.raises(ValueError, match="0 windows and 1 pieces"):
        seen([event("kernel", "product", 1, 1, 1)])
