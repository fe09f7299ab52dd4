"""The command line of `streamer replay`, judged as a whole."""

from __future__ import annotations

import re
from typing import NamedTuple

from streamer.errors import ConfigurationError
from streamer.identity import Identity
from streamer.worker.replay.joining import Asked
from streamer.worker.replay.run import Mode
from streamer.worker.replay.selection import Bound, Selection, bound

_NAME = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9._-]{1,100}")


class Options(NamedTuple):
    """The command line, as it was given."""

    name: str | None
    begin: str | None
    end: str | None
    partitions: tuple[int, ...]
    everything: bool
    id: str | None
    source: str | None
    verify: bool
    promote: bool
    restart: bool


def asked(options: Options) -> Asked:
    """Errors: ConfigurationError, with all that is wrong."""
    problems = []
    if options.verify and options.promote:
        problems.append("--verify, --promote: one of them; --verify writes no audio that could be promoted")
    if options.name is not None and not _NAME.fullmatch(options.name):
        problems.append(f"NAME {options.name[:120]!r}: 1 to 100 of A-Z a-z 0-9 . _ -")
    mode = Mode.VERIFY if options.verify else Mode.PROMOTE if options.promote else None
    selection = _selection(options, problems)
    if selection is None and options.name is None and not problems:
        problems.append(
            "choose the records by --all, by --from and --to, or by --id; or give the NAME of a run to go on with"
        )
    if problems:
        raise ConfigurationError(problems)
    name = options.name or (selection.slug(mode or Mode.REGENERATE) if selection else "")
    return Asked(name, selection, mode, options.restart)


def _selection(options: Options, problems: list[str]) -> Selection | None:
    """None: no record was chosen."""
    ranged = options.begin is not None or options.end is not None
    kinds = [
        name
        for name, given in (("--all", options.everything), ("--from/--to", ranged), ("--id", options.id is not None))
        if given
    ]
    if len(kinds) > 1:
        problems.append(f"{' and '.join(kinds)} exclude each other")
    if options.partitions and not options.everything and not ranged:
        problems.append("--partition: needs --all, --from or --to; an id has its own partition")
    if options.source is not None and options.id is None:
        problems.append("--source: belongs to --id")
    begin, end = _bound("--from", options.begin, problems), _bound("--to", options.end, problems)
    if not kinds:
        return None
    return Selection(
        everything=options.everything,
        begin=begin,
        end=end,
        partitions=tuple(sorted(set(options.partitions))),
        identity=None if options.id is None else Identity(options.source or "", options.id),
    )


def _bound(name: str, text: str | None, problems: list[str]) -> Bound | None:
    try:
        return None if text is None else bound(text)
    except (ValueError, OverflowError):
        problems.append(f"{name} {text!r}: neither an offset nor a time such as 2026-11-22T09:30 or 2026-11-22T01:30Z")
        return None
