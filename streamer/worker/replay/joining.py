"""Which run a command works at: the one of its name, or a new one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from streamer.errors import ConfigurationError
from streamer.kafka.base import Admin, Partition
from streamer.worker.replay.progress import Progress
from streamer.worker.replay.resolver import Resolver
from streamer.worker.replay.run import Mode, Run, Runs
from streamer.worker.replay.selection import Selection, read

_CALL = 10.0
"""Seconds that the cluster has to answer."""


class Asked(NamedTuple):
    """What the command line says; None where it says nothing."""

    name: str
    selection: Selection | None
    mode: Mode | None
    restart: bool = False


class Joined(NamedTuple):
    run: Run
    new: bool
    """It is not in the store yet, or was not before."""


class Joining:
    """Finds or makes a run. Errors: ConfigurationError, which names the option; those of broker and store."""

    def __init__(
        self,
        runs: Runs,
        resolver: Resolver,
        admin: Admin,
        replayed: Sequence[Partition],
        progress: Callable[[Run], Progress],
        *,
        group: str,
        now: Callable[[], float],
    ) -> None:
        """`replayed`: the partitions of the topic of replays. `group`: kafka.group. `now`: seconds since the epoch."""
        self._runs, self._resolver, self._admin = runs, resolver, admin
        self._replayed, self._progress, self._group, self._now = replayed, progress, group, now

    def find(self, asked: Asked) -> Joined:
        """The standing run, or a new one, which is not written."""
        standing = self._runs.latest(asked.name)
        if standing is None:
            if asked.selection is None:
                raise ConfigurationError(
                    [f"NAME: there is no run {asked.name!r} yet; choose its records by --all, --from and --to, or --id"]
                )
            return Joined(self._new(asked.name, 1, asked.selection, asked.mode), new=True)
        if not asked.restart:
            _check(standing, asked)
            return Joined(standing, new=False)
        if not self.finished(standing) and self._admin.members(standing.group(self._group), _CALL):
            raise ConfigurationError(
                [
                    f"--restart: run {standing.label} is not finished, and somebody works at it (or died a moment "
                    f"ago); wait for that to end, or help with `streamer replay {standing.name}`"
                ]
            )
        before = None if asked.selection else standing.mode
        selection = asked.selection or read(standing.asked)
        return Joined(self._new(asked.name, standing.number + 1, selection, asked.mode or before), new=True)

    def begin(self, asked: Asked, found: Joined) -> Run:
        """Write a new run; where another process was quicker, its one, if that is what was asked for."""
        if not found.new:
            return found.run
        made = self._runs.make(found.run)
        if made != found.run:
            _check(made, asked)
        return made

    def finished(self, run: Run) -> bool:
        """By its summary, which stays; or by its group's commits."""
        return self._runs.summary(run) is not None or self._progress(run).look(_CALL).finished

    def _new(self, name: str, number: int, selection: Selection, mode: Mode | None) -> Run:
        return Run(
            name=name,
            number=number,
            mode=mode or Mode.REGENERATE,
            asked=selection.text,
            ranges=self._resolver.ranges(selection),
            replayed_from={p.number: end for p, end in self._admin.ends(self._replayed, _CALL).items()},
            created_at=int(self._now() * 1000),
        )


def _check(run: Run, asked: Asked) -> None:
    """A bare name joins whatever stands there; whoever says more must mean the same."""
    wrong = []
    if asked.selection is not None:
        wrong += asked.selection.differences(read(run.asked))
    mode = asked.mode or (Mode.REGENERATE if asked.selection is not None else run.mode)
    if mode is not run.mode:
        wrong += [f"--{each}" for each in (mode, run.mode) if each is not Mode.REGENERATE]
    if wrong:
        flag = "" if run.mode is Mode.REGENERATE else f" --{run.mode}"
        raise ConfigurationError(
            [
                f"{', '.join(wrong)}: run {run.label} was begun with {run.asked}{flag}; give the name alone to go on "
                "with it, another name, or --restart"
            ]
        )
