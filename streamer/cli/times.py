"""Times on the command line: how long ago, or a date."""

from __future__ import annotations

import re
from datetime import datetime

import click

_AGO = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def milliseconds(value: str, now: float) -> int:
    """Since the epoch: of 30s, 15m, 2h or 1d before `now` (seconds since the epoch), or of a date in ISO 8601, in local
    time unless it names another. Errors: ValueError, which says what may be given."""
    ago = _AGO.fullmatch(value)
    try:
        if ago is not None:
            return int((now - int(ago[1]) * _SECONDS[ago[2]]) * 1000)
        at = datetime.fromisoformat(value)
        return int((at if at.tzinfo else at.astimezone()).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{value!r} is neither 30s, 15m, 2h or 1d nor a date such as 2026-11-22T09:30+08:00"
        ) from error


def since(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """The callback of an option."""
    from streamer.clock import SystemClock

    if value is None:
        return None
    try:
        return milliseconds(value, SystemClock().now())
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error
