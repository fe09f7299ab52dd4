"""`streamer synth`: speak a JSONL file without Kafka."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from streamer.bodies import from_json
from streamer.cli.main import configured
from streamer.errors import EXIT_DONE, EXIT_FAILED, RequestFailed, StoreUnavailable, StreamerError
from streamer.formats import chosen, known
from streamer.identity import fingerprint
from streamer.records import FailureCode, SpeechRequest
from streamer.validation import InvalidRequest, Problem, checked

if TYPE_CHECKING:
    from streamer.engines.base import Failure, Speech, Synthesizer, Ticket, Utterance
    from streamer.intake.lines import Line, Lines
    from streamer.settings import Settings
    from streamer.worker.prompts import Prompts
    from streamer.worker.utterances import Utterances

_WINDOW = 64
"""Utterances in the engine at once."""
_PATIENCE = 60.0
"""Seconds between two looks at an input that is silent."""
_MAX_FILE_NAME = 240
"""Bytes, which leaves room for an extension."""

Emit = Callable[[dict[str, Any]], None]


@click.command()
@click.argument("file", type=click.File("rb"), metavar="FILE.jsonl|-")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the audio.")
@configured
def command(settings: Settings, file: IO[bytes], out: Path) -> int:
    """Speak one request a line into DIR/<output_name, id or line number>.<wav, mp3, …>, and print one JSON object a
    result.

    Results come as they are ready. A wrong line is told in its result and the others still are spoken. Exit 1 if any
    failed.
    """
    from streamer.clock import SystemClock
    from streamer.engines.opening import open_engine
    from streamer.intake.lines import Lines
    from streamer.render.events import Events
    from streamer.voices import Voices
    from streamer.worker.utterances import Utterances

    voices = Voices.load(settings.voices.file)
    events = Events.load(settings.events.file, voices)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"--out {out}: {error.strerror}") from error

    def emit(result: dict[str, Any]) -> None:
        click.echo(msgspec.json.encode(result))

    engine = open_engine(settings.engine, SystemClock())
    try:
        utterances = Utterances(events, voices, settings.engine.max_text, settings.audio, clones=engine.profile.clones)
        failed = _Synthesis(settings, utterances, engine, out, emit).run(Lines(file))
    finally:
        engine.close()
    return EXIT_FAILED if failed else EXIT_DONE


class _Job(msgspec.Struct):
    line: int
    request: SpeechRequest
    utterance: Utterance
    stem: str
    attempts: int = 0
    speeches: int = 0


class _Synthesis:
    """Lines in, files and results out; at most _WINDOW of them in the engine."""

    def __init__(self, settings: Settings, utterances: Utterances, engine: Synthesizer, out: Path, emit: Emit) -> None:
        self._settings, self._utterances, self._engine, self._out, self._emit = settings, utterances, engine, out, emit
        self._jobs: dict[Ticket, _Job] = {}
        self._alone: list[_Job] = []
        self._names: dict[str, int] = {}
        self._failed = 0

    def run(self, lines: Lines) -> int:
        """How many failed. Errors: StreamerError when the input cannot be read or a file not written."""
        while (line := self._next(lines)) is not None:
            if line.data is None or line.data.strip():
                self._take(line)
            while len(self._jobs) >= _WINDOW:
                self._step()
        while self._jobs:
            self._step()
        # A step that raised does not say whose fault it was; alone, the innocent ones speak.
        while self._alone:
            self._submit(self._alone.pop(0))
            while self._jobs:
                self._step(alone=True)
        return self._failed

    def _next(self, lines: Lines) -> Line | None:
        """The next line. While none comes, as from a pipe, what is in the engine goes on."""
        from streamer.intake.lines import NotYet

        while True:
            try:
                return lines.next(0 if self._jobs else _PATIENCE)
            except OSError as error:
                raise StreamerError(f"the input cannot be read: {error.strerror}") from error
            except NotYet:
                if self._jobs:
                    self._step()

    def _take(self, line: Line) -> None:
        request = None
        try:
            if line.data is None:
                raise InvalidRequest([Problem("body", "the line is too long; shorten it")])
            request = from_json(line.data, "jsonl")
            checked(request)
            utterance = self._voiced(request, self._utterances.of(request, fingerprint(request)).utterance)
            self._submit(_Job(line.number, request, utterance, self._stem(request, line.number)))
        except RequestFailed as error:
            self._fail(line.number, request.id if request else "", error)

    def _voiced(self, request: SpeechRequest, utterance: Utterance) -> Utterance:
        """With the voice of the request's own prompt, where it has one. Errors: RequestFailed; those of the store."""
        prompt = request.prompt
        if prompt is None:
            return utterance
        stored = prompt.prompt_audio.startswith(self._settings.store.url)
        prompts = self._prompts_and_store if stored else self._prompts
        return msgspec.structs.replace(utterance, voice=prompts.voice(prompt))

    @cached_property
    def _prompts(self) -> Prompts:
        from streamer.worker.prompts import Prompts

        return Prompts(self._settings.voices.prompt_folders, None)

    @cached_property
    def _prompts_and_store(self) -> Prompts:
        """Apart: most files of requests are spoken without a store, and opening one makes its folder."""
        from streamer.store.opening import open_store
        from streamer.worker.prompts import Prompts

        return Prompts(self._settings.voices.prompt_folders, open_store(self._settings.store))

    def _stem(self, request: SpeechRequest, line: int) -> str:
        field = "output_name" if request.output_name else "id"
        stem = request.output_name or request.id or str(line)
        if "/" in stem or "\\" in stem or stem in (".", "..") or len(stem.encode()) > _MAX_FILE_NAME:
            raise InvalidRequest([Problem(field, "is no file name; give a short output_name without slashes")])
        extension = known(request.format or self._settings.audio.format).extension
        stem = stem.removesuffix(f".{extension}")
        if (other := self._names.setdefault(f"{stem}.{extension}", line)) != line:
            raise InvalidRequest([Problem(field, f"names the same file as line {other}; give another output_name")])
        return stem

    def _submit(self, job: _Job) -> None:
        job.attempts += 1
        self._jobs[self._engine.submit(job.utterance)] = job

    def _step(self, *, alone: bool = False) -> None:
        try:
            reports = self._engine.step()
        except Exception as error:  # noqa: BLE001 - whatever an engine raises is its utterances' failure
            jobs = list(self._jobs.values())
            for ticket in self._jobs:
                self._engine.cancel(ticket)
            self._jobs.clear()
            if not alone:
                self._alone += jobs
                return
            for job in jobs:
                self._retry(job, str(error))
            return
        for report in reports:
            self._report(self._jobs.pop(report.ticket), report)

    def _report(self, job: _Job, report: Speech | Failure) -> None:
        from streamer.engines.base import Failure

        if not isinstance(report, Failure):
            self._verify(job, report)
        elif report.mute:
            self._fail(job.line, job.request.id, RequestFailed(FailureCode.TEXT_EMPTY, f"text: {report.message}"))
        elif report.voice:
            self._fail(job.line, job.request.id, RequestFailed(FailureCode.VOICE_UNKNOWN, report.message))
        elif report.out_of_memory and self._jobs:
            self._alone.append(job)
        else:
            self._retry(job, report.message)

    def _retry(self, job: _Job, message: str) -> None:
        if job.attempts < self._settings.engine.attempts:
            self._submit(job)
        else:
            error = RequestFailed(FailureCode.SYNTHESIS_FAILED, f"{message} (attempts: {job.attempts})")
            self._fail(job.line, job.request.id, error)

    def _verify(self, job: _Job, speech: Speech) -> None:
        """As the worker does: speech that does not count is made once more, with the next seed."""
        from streamer.worker.verify import flaw_of, next_try, rejection

        profile, utterance = self._engine.profile, job.utterance
        job.speeches += 1
        flaw = flaw_of(speech.samples, utterance, profile)
        if flaw is None:
            self._write(job, speech)
        elif again := next_try(utterance, profile, job.speeches):
            job.utterance = again
            self._jobs[self._engine.submit(again)] = job
        else:
            self._fail(job.line, job.request.id, rejection(flaw, utterance, profile))

    def _write(self, job: _Job, speech: Speech) -> None:
        from streamer.store.encoding import encode

        request, audio = job.request, self._settings.audio
        format, rate = chosen(request.format, request.sample_rate, audio.format, audio.sample_rate)
        try:
            encoded = encode(speech.samples, self._engine.profile.sample_rate, format, rate)
        except RequestFailed as error:
            self._fail(job.line, request.id, error)
            return
        file = self._out / f"{job.stem}.{encoded.extension}"
        part = file.with_name(f"{file.name}.part")
        try:
            part.write_bytes(encoded.data)
            part.replace(file)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise StoreUnavailable(f"cannot write {file}: {error.strerror}") from error
        self._emit(
            {
                "line": job.line,
                "id": request.id,
                "file": str(file),
                "duration": encoded.duration,
                "sha256": encoded.sha256,
            }
        )

    def _fail(self, line: int, id: str, error: RequestFailed) -> None:
        self._failed += 1
        self._emit({"line": line, "id": id, "error": {"code": str(error.code), "message": error.message}})
