"""What `streamer models pull` shows: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import click
from rich import progress
from rich.console import Console

_TENTH = 10


class Progress:
    """Hears of transfers, one after the other (fetching/remote.py, Report). A context, in which the bar is drawn."""

    def __init__(self, console: Console | None = None) -> None:
        self._bar: progress.Progress | None = None
        self._console = console or Console(stderr=True)
        if self._console.is_terminal:
            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.DownloadColumn(binary_units=False),
                progress.TransferSpeedColumn(),
                progress.TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
        self._task: progress.TaskID | None = None
        self._path, self._size, self._had, self._tenths = "", 0, 0, 0

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, path: str, size: int | None, had: int) -> None:
        self._path, self._size, self._had = path, size or 0, had
        self._tenths = self._reached()
        if self._bar is not None:
            self._task = self._bar.add_task(path, total=size, completed=had)
            return
        of = f"{size:,} bytes" if size is not None else "of unknown size"
        self._line(f"{path}: {of}, {had:,} of them from before" if had else f"{path}: {of}")

    def advance(self, count: int) -> None:
        self._had += count
        if self._bar is not None:
            if self._task is not None:
                self._bar.advance(self._task, count)
            return
        if (tenths := self._reached()) != self._tenths:
            self._tenths = tenths
            if 0 < tenths < _TENTH:
                self._line(f"{self._path}: {tenths * _TENTH} %")

    def done(self, path: str, note: str) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        self._line(f"{path}: {note}")

    def note(self, text: str) -> None:
        self._line(text)

    def _reached(self) -> int:
        """Tenths of the file."""
        return self._had * _TENTH // self._size if self._size else 0

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            click.echo(text)
