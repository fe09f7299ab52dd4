"""What the demo tells: the table of its samples, and how to go on."""

from __future__ import annotations

import io
import os
import shlex
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamer.cli.samples import Outcome
from streamer.records import SpeechFailed
from streamer.settings import Settings, Topics

_UNFOLDED = 1_000
"""Columns where no terminal is looked at: into a file or a pipe the paths go whole."""


def print_table(found: list[Outcome], folder: Path, waited: float) -> None:
    """Id, text, audio file (a link with a readable name, below `folder`), seconds of audio, latency in ms."""
    table = Table("id", title="four requests, spoken and committed", title_justify="left")
    table.add_column("text spoken", overflow="fold")
    table.add_column("audio file", overflow="fold")
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("latency", justify="right", no_wrap=True)
    for posted, result, latency in found:
        if result is None:
            cells = [posted.text, f"no result within {waited:.0f} s", "", ""]
        elif isinstance(result, SpeechFailed):
            cells = [posted.text, f"failed, {result.code}: {result.message}", "", f"{latency * 1000:.0f} ms"]
        else:
            file = _linked(result.audio.uri, folder / posted.id)
            cells = [result.text, _shown(file), f"{result.audio.duration:.1f}", f"{latency * 1000:.0f} ms"]
        table.add_row(Text(posted.id, no_wrap=True), *map(Text, cells))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a locale without Chinese is no reason to fail
    Console(width=None if sys.stdout.isatty() else _UNFOLDED).print(table)


def invitation(settings: Settings, url: str, data: Path) -> str:
    """How to post a request of one's own, and how to see what became of it."""
    script = Path(sys.executable).with_name("streamer")
    program = _shown(script) if script.is_file() else f"{sys.executable} -m streamer"
    token = '-H "X-Webhook-Token: $STREAMER_BRIDGE__TOKEN" ' if settings.bridge.token else ""
    return f"""\
Everything stays up until Ctrl-C. Post a request of your own:

  curl {token}-H 'Content-Type: application/json' {url}/webhook/tts \\
    -d '{{"source": "me", "text": "Hello, this is my first event.", "voice": "vip"}}'

and see the results as they are committed:

  {_variables(settings)} {program} follow

The logs are {data}/*.log."""


def _linked(uri: str, name: Path) -> Path:
    """A link with a readable name to an object of the store."""
    audio = Path(unquote(urlsplit(uri).path))
    link = name.with_suffix(audio.suffix)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(os.path.relpath(audio, link.parent.absolute()))
    return link


def _shown(path: Path) -> str:
    """Relative where it is below the working folder."""
    absolute, here = path.absolute(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def _variables(settings: Settings) -> str:
    """What another command must be told, to be part of this demo."""
    values = {
        "STREAMER_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "STREAMER_STORE__URL": shlex.quote(settings.store.url),
    }
    for name, topic in settings.kafka.topics:
        if topic != Topics.model_fields[name].default:
            values[f"STREAMER_KAFKA__TOPICS__{name.upper()}"] = topic
    return " ".join(f"{name}={value}" for name, value in values.items())
