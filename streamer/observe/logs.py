"""Structured logs on standard error: one JSON object a line, or readable lines on a terminal.

A record's way is told by four events, each with task_id and trace_id:
RECEIVED (read from its partition), STARTED (given to the engine), DURABLE (its verdict stands in the store),
COMMITTED (its result and its offset are committed).
"""

from __future__ import annotations

import sys
from typing import Protocol

import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

RECEIVED = "RECEIVED"
STARTED = "STARTED"
DURABLE = "DURABLE"
COMMITTED = "COMMITTED"


class Log(Protocol):
    """The part of structlog's bound logger that streamer uses."""

    def debug(self, event: str, **fields: object) -> object: ...
    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...
    def bind(self, **fields: object) -> Log: ...


def logger(level: str = "info", style: str = "json") -> Log:
    """A logger on standard error; events below `level` cost next to nothing."""
    renderer = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    # A line is written at once: the processes of one supervisor share its standard error.
    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    return log


def trace_id(traceparent: str | bytes | None) -> str:
    """The trace id within a W3C traceparent (`00-<trace id>-<parent id>-<flags>`); empty where there is none."""
    if isinstance(traceparent, bytes):
        traceparent = traceparent.decode("ascii", "replace")
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 else ""
