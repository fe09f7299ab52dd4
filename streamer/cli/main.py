"""`streamer`: the group of commands, their shared option, and what exit codes mean.

0 done, 1 failed, 2 wrong use or configuration and whatever a supervisor must never restart, 3 fenced.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamer import __version__
from streamer.errors import ConfigurationError, StreamerError

if TYPE_CHECKING:
    from streamer.settings import Settings

_COMMANDS = {
    "kafka": "Run an embedded Apache Kafka (demo and tests).",
    "topics": "Create the topics and initialise the group.",
    "bridge": "Take webhooks and publish requests.",
    "worker": "Speak requests.",
    "demo": "Start everything and speak four sample requests.",
    "submit": "Publish requests from a JSONL file.",
    "follow": "Print results as they are committed.",
    "failed": "Group what failed by its code.",
    "replay": "Make the audio of a range again: compare or promote it.",
    "redrive": "Send what failed again.",
    "delete": "Delete a person's audio.",
    "gc": "Delete audio that no verdict names.",
    "synth": "Speak a JSONL file without Kafka.",
    "models": "Fetch, check or make a checkpoint for the engine glm.",
    "check": "Validate the configuration and reach every dependency.",
}


class _Commands(click.Group):
    """Loads a command's module when it is asked for, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = importlib.import_module(f"streamer.cli.{name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"streamer.cli.{name}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


_CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration (TOML). STREAMER_SECTION__KEY in the environment wins over it.",
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@_CONFIG
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """Business events become speech files through Kafka, each exactly once."""
    ctx.obj = config


def configured(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--config` of its own (it may stand before or after the command) and pass it `settings` first."""

    @click.pass_context
    def wrapper(ctx: click.Context, /, config: Path | None, **arguments: Any) -> Any:
        from streamer.settings import load

        settings: Settings = load(config or ctx.obj)
        return ctx.invoke(function, settings, **arguments)

    return _CONFIG(update_wrapper(wrapper, function))


def main() -> None:
    """The console script: errors of ours become one clear line each and their exit code."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"streamer: {problem}", err=True)
        sys.exit(error.exit_code)
    except StreamerError as error:
        click.echo(f"streamer: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)  # whoever read our output is gone
    sys.exit(status if isinstance(status, int) else 0)
