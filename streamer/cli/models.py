"""`streamer models`: the checkpoint of the glm engine: fetch it, look it over, or make a tiny one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamer.cli.main import configured
from streamer.errors import EXIT_DONE, EXIT_FAILED, ConfigurationError, EngineError, StreamerError

if TYPE_CHECKING:
    from streamer.settings import Settings

_SENTENCE = "你好，这是一次检查。"
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """Fetch, check or make a checkpoint of GLM-TTS for the engine glm."""


@command.command()
@click.argument("folder", type=_FOLDER, default="ckpt", metavar="[DIR]")
@click.option(
    "--from",
    "source",
    type=click.Choice(["huggingface", "modelscope"]),
    default="huggingface",
    show_default=True,
    help="Where the weights are published. ModelScope needs its library: pip install modelscope.",
)
@click.option("--revision", help="Branch, tag or commit; main, and master on ModelScope, where none is given.")
@click.option("--endpoint", metavar="URL", help="A mirror that speaks the routes of the source.")
@click.option("--vocos", is_flag=True, help="Also the vocoder for 32 kHz. It is TorchScript, which is executable code.")
@click.option("--campplus-url", metavar="URL", help="Where the speaker encoder is; the code repository, if not given.")
@click.option("--campplus-sha256", metavar="HEX", help="What its sha256 must be.")
def pull(
    folder: Path,
    source: str,
    revision: str | None,
    endpoint: str | None,
    vocos: bool,
    campplus_url: str | None,
    campplus_sha256: str | None,
) -> int:
    """Fetch the official weights into DIR (ckpt, if none is given): what is needed, and no code that comes with them.

    Every file is compared with what its publisher says of it, and stands under its name only when it is whole. Whatever
    interrupts this, run it again: it goes on where it stopped. Exit 1 where something could not be had; the message
    lists the files to place by hand.
    """
    for option, url in (("--endpoint", endpoint), ("--campplus-url", campplus_url)):
        if url is not None and not url.startswith(("http://", "https://")):
            raise ConfigurationError([f"{option}: {url!r} is no http:// or https:// address"])
    with _installed():
        from streamer.cli.models_output import Progress
        from streamer.engines.glm.checkpoint.fetching.pull import CAMPPLUS_URL, Wanted
        from streamer.engines.glm.checkpoint.fetching.pull import pull as fetch
    wanted = Wanted(
        source="modelscope" if source == "modelscope" else "huggingface",
        revision=revision,
        endpoint=endpoint.rstrip("/") if endpoint else None,
        vocos=vocos,
        campplus_url=campplus_url or CAMPPLUS_URL,
        campplus_sha256=campplus_sha256,
    )
    with Progress() as progress:
        fetch(folder, wanted, progress)
    click.echo(f"{folder} is complete; look it over with: streamer models check {folder}")
    return EXIT_DONE


@command.command()
@click.argument("folder", type=_FOLDER, metavar="DIR")
@configured
def check(settings: Settings, folder: Path) -> int:
    """Say of every part of the checkpoint in DIR: ok, or failed and why; then speak a sentence with it.

    Shapes are held to the configurations, without loading a model. [engine.glm] tells device and precision for the
    sentence. Exit 1 where anything failed.
    """
    with _installed():
        from streamer.engines.glm.checkpoint.inspection import findings
        from streamer.engines.glm.checkpoint.layout import Layout
    failed = False
    for finding in findings(Layout(folder), vocos=settings.engine.glm.sample_rate == 32_000):
        failed = failed or not finding.ok
        click.echo(f"ok {finding.part} {finding.text}" if finding.ok else f"failed {finding.part}: {finding.text}")
    if failed:
        click.echo("failed speech: not tried, for a part is wrong")
        return EXIT_FAILED
    try:
        click.echo(f"ok speech {speak(settings, folder)}")
    except StreamerError as error:
        click.echo(f"failed speech: {error}")
        return EXIT_FAILED
    return EXIT_DONE


@command.command("make-tiny")
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same makes the same bytes.")
@click.option("--force", is_flag=True, help="Also into a folder that is not empty.")
def make_tiny(folder: Path, seed: int, force: bool) -> int:
    """Write a checkpoint of seeded noise into DIR, 20 MB in the official layout, with a voice and requests to try it.

    What it says is noise. It is for trying and testing everything around a model, in the time that its size takes.
    """
    with _installed():
        from streamer.engines.glm.checkpoint.tiny.folder import make_tiny as make
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise ConfigurationError([f"{folder} is not empty; give another folder, or --force to write into it"])
    try:
        make(folder, seed)
    except OSError as error:
        raise EngineError(f"{error.filename or folder}: {error.strerror}") from error
    click.echo(
        f"{folder} is a checkpoint of noise. Try it:\n"
        f"  cd {folder / 'example'} && streamer synth requests.jsonl --config streamer.toml --out out"
    )
    return EXIT_DONE


def speak(settings: Settings, folder: Path) -> str:
    """A sentence in a synthetic voice, by the engine as it is configured but for its checkpoint; what came of it.

    Errors: EngineError, also where it fails or takes too long; ConfigurationError.
    """
    from streamer.clock import SystemClock
    from streamer.engines.base import Failure, Utterance
    from streamer.engines.glm.checkpoint.tiny import example
    from streamer.engines.opening import open_engine
    from streamer.voices import PromptSound, Voice

    glm = settings.engine.glm.model_copy(update={"checkpoint": str(folder)})
    choice = settings.engine.model_copy(update={"name": "glm", "glm": glm})
    voice = Voice(name="check", prompt=PromptSound.of(example.prompt(), example.PROMPT_TEXT))
    clock = SystemClock()
    with closing(open_engine(choice, clock)) as engine:
        profile = engine.profile
        engine.submit(Utterance(text=_SENTENCE, voice=voice, seed=0))
        end = clock.monotonic() + profile.step_limit
        while clock.monotonic() < end:
            for report in engine.step():
                if isinstance(report, Failure):
                    raise EngineError(f"{profile.name} could not speak {_SENTENCE!r}: {report.message}")
                seconds = len(report.samples) / profile.sample_rate
                return f"{profile.name} ({profile.revision}) spoke {_SENTENCE!r}, {seconds:.1f} s"
    raise EngineError(f"{profile.name} did not speak {_SENTENCE!r} within {profile.step_limit:.0f} s")


@contextmanager
def _installed() -> Iterator[None]:
    """Errors: ConfigurationError where the extra is not installed."""
    try:
        yield
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] == "streamer":
            raise  # a defect of ours, which no installation mends
        raise ConfigurationError(
            [f"the libraries of the engine glm are not installed ({error}): pip install 'streamer[glm]'"]
        ) from error
