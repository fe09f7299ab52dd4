"""What a replay tells: its ranges, how far it is, and what came of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
import msgspec

from streamer.clock import Clock
from streamer.records import Outcome
from streamer.worker.replay.causes import Reason
from streamer.worker.replay.progress import Standing
from streamer.worker.replay.rehearsal import Forecast
from streamer.worker.replay.run import Mode, Run
from streamer.worker.replay.selection import read
from streamer.worker.replay.summary import Summary

_SECONDS = 5.0
"""Between two plain lines."""
_BAR = 24
"""Columns."""

Show = Callable[[Standing, Summary], None]


def flags(run: Run) -> str:
    """The options of a run, as one would type them."""
    return run.asked if run.mode is Mode.REGENERATE else f"{run.asked} --{run.mode}"


def tell_ranges(run: Run, topic: str) -> None:
    """What is replayed, and what is gone, a line a partition, on standard error."""
    at_most = "up to " if isinstance(read(run.asked).begin, datetime) else ""
    for number, range in sorted(run.ranges.items()):
        line = f"{topic}[{number}]: "
        line += f"offsets [{range.begin}, {range.end}), {range.size:,} of them" if range.size else "no offsets"
        if range.gone:
            line += f"; {at_most}{range.gone:,} that were asked for are gone: retention has passed them"
        click.echo(line, err=True)


class Pace:
    """How quickly a run advances while this process looks at it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began: tuple[float, int] | None = None

    def of(self, standing: Standing, summary: Summary) -> str:
        """Done, rate and time left, and what is not the same, in one line."""
        now = self._clock.monotonic()
        began, before = self._began = self._began or (now, standing.done)
        rate = (standing.done - before) / (now - began) if now > began else 0.0
        share = 100 * standing.done // standing.total if standing.total else 100
        parts = [f"{standing.done:,} of {standing.total:,} offsets", f"{share} %"]
        if rate:
            parts += [f"{rate:,.1f}/s", f"{_duration((standing.total - standing.done) / rate)} left"]
        parts += [
            f"{summary.outcomes[outcome]:,} {outcome}"
            for outcome in (Outcome.PROMOTED, Outcome.DIFFERENT, Outcome.FAILED, Outcome.SKIPPED)
            if summary.outcomes[outcome]
        ]
        return ", ".join(parts)


class Bar:
    """One line on a terminal, written anew at each look."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def show(self, standing: Standing, summary: Summary) -> None:
        filled = _BAR * standing.done // standing.total if standing.total else _BAR
        text = f"[{'#' * filled}{'.' * (_BAR - filled)}] {self._pace.of(standing, summary)}"
        width = shutil.get_terminal_size().columns - 1
        end = "\n" if standing.finished else ""
        click.echo(f"\r{text[:width]:<{width}}{end}", err=True, nl=False)


class Lines:
    """A line every few seconds, and at each tenth of the way."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._pace, self._clock = pace, clock
        self._told: tuple[float, int] | None = None

    def show(self, standing: Standing, summary: Summary) -> None:
        now, step = self._clock.monotonic(), 10 * standing.done // max(1, standing.total)
        if self._told is None or now - self._told[0] >= _SECONDS or step > self._told[1]:
            self._told = now, step
            click.echo(self._pace.of(standing, summary), err=True)


def display(clock: Clock) -> Show:
    """A bar where standard error is a terminal, else lines."""
    pace = Pace(clock)
    return Bar(pace).show if sys.stderr.isatty() else Lines(pace, clock).show


def print_forecast(forecast: Forecast) -> None:
    """On standard output."""
    click.echo(f"{forecast.again:,} records would be made again")
    for why, count in sorted(forecast.otherwise.items()):
        click.echo(f"{count:,} would not: {why}")


def print_summary(run: Run, summary: Summary, topic: str, *, as_json: bool) -> None:
    """On standard output."""
    if as_json:
        click.echo(msgspec.json.encode(_document(run, summary)))
        return
    click.echo(f"run {run.label}, {flags(run)}: {summary.records:,} records, {summary.checked:,} checked")
    for outcome, count in summary.outcomes.items():
        why = sorted(summary.reasons.get(outcome, {}).items(), key=lambda pair: (-pair[1], pair[0]))
        told = f": {', '.join(f'{reason} {number:,}' for reason, number in why)}" if why else ""
        click.echo(f"  {outcome:<9} {count:>9,}{told}")
    for line in sorted(summary.lines, key=lambda line: (line.partition, line.offset)):
        why_ = ", ".join([*line.reasons, *([line.code] if line.code else [])])
        message = f" ({line.message})" if line.message else ""
        click.echo(
            f"{line.outcome} {line.source}/{line.id} at {topic}[{line.partition}] offset {line.offset}: {why_}{message}"
        )
    if summary.untold:
        click.echo(f"and {summary.untold:,} more; `streamer follow --topic replayed --from-beginning` prints all")
    gone = sum(range.gone for range in run.ranges.values())
    if gone:
        click.echo(f"{gone:,} offsets that were asked for were gone before the run began")
    undecided = summary.reasons.get(Outcome.SKIPPED, {}).get(Reason.UNDECIDED, 0)
    if undecided:
        click.echo(f"{undecided:,} had no result yet; replay them with --restart once the workers have come to them")
    if not summary.checked:
        click.echo("nothing was checked")


def _document(run: Run, summary: Summary) -> dict[str, Any]:
    """One object; its run is told by its parts."""
    return {
        "run": run.label,
        "mode": run.mode,
        "asked": run.asked,
        "ranges": [{"partition": n, "begin": r.begin, "end": r.end, "gone": r.gone} for n, r in run.ranges.items()],
        "records": summary.records,
        "checked": summary.checked,
        "outcomes": summary.outcomes,
        "reasons": summary.reasons,
        "lines": summary.lines,
        "untold": summary.untold,
        "clean": summary.clean,
    }


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
