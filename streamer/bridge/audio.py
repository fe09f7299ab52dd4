"""GET /jobs/{id}/audio: a link where the store gives one, else the audio itself, whole or in ranges."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import Receive, Scope

from streamer.bridge import paths, responses
from streamer.bridge.core import Bridge
from streamer.bridge.downloads import Download, Source
from streamer.bridge.gate import Gate, Refused
from streamer.bridge.jobs import METHODS, Jobs, asked, refused, unavailable, unknown
from streamer.bridge.ranges import Range, Unsatisfiable, applies, parsed, unchanged
from streamer.bridge.threads import Threads
from streamer.errors import StoreError
from streamer.formats import media_type
from streamer.identity import Identity
from streamer.store.base import Store
from streamer.store.disposition import attachment, inline, with_extension
from streamer.store.verdicts import Completed, Failed
from streamer.validation import Problem


class AudioFiles:
    """Serves what the latest verdict of a job names."""

    def __init__(self, bridge: Bridge, jobs: Jobs, store: Store, threads: Threads, gate: Gate) -> None:
        self._bridge, self._jobs, self._store, self._threads, self._gate = bridge, jobs, store, threads, gate

    async def __call__(self, scope: Scope, receive: Receive) -> responses.Response | Download:
        headers = self._gate.admitted(scope, METHODS)
        raw, _ = paths.job(scope["raw_path"][len(paths.JOBS) :])
        identity, options = asked(raw, scope["query_string"], ("download",))
        attached = _attached(options)
        state = await self._completed(identity)
        extension = state.audio.uri.rpartition(".")[2]
        source = Source(self._store, self._threads, f"{identity.folder}/{state.audio.sha256}.{extension}")
        try:
            # A link is signed for GET alone.
            found = await source.found(linked=scope["method"] == "GET")
            if isinstance(found, str):
                return _redirect(found)
            if found is None:
                raise _missing(source.key)
            named = [
                (b"etag", f'"{state.audio.sha256}"'.encode()),
                (b"accept-ranges", b"bytes"),
                (b"cache-control", b"private, no-cache"),  # a replay may promote other audio
                (b"content-disposition", _disposition(state.output_name or identity.id, extension, attached)),
                (b"x-content-type-options", b"nosniff"),
            ]
            return await _answer(scope["method"], headers, source, found, media_type(extension).encode(), named)
        except StoreError as error:
            raise unavailable(str(error)) from error

    async def _completed(self, identity: Identity) -> Completed:
        """Errors: Refused where there is no audio: 404 for not yet, 409 for never, 410 for no longer."""
        verdict = await self._jobs.verdict(identity)
        if verdict is None and self._bridge.acknowledged(identity):
            detail = "Kafka has the request, and no worker has decided it yet; ask again"
            extra = [responses.retry_after(1)]
            status = HTTPStatus.NOT_FOUND
            raise Refused(responses.problem(status, "not_finished", detail, extra=extra, state="accepted", outcome=""))
        if verdict is None:
            raise unknown(identity)
        if isinstance(verdict.state, Failed):
            failed = verdict.state
            status, code = (HTTPStatus.GONE, "audio_gone") if verdict.deleted else (HTTPStatus.CONFLICT, "job_failed")
            raise Refused(
                responses.problem(status, code, failed.message, state="failed", failure=failed.code, outcome="")
            )
        return verdict.state


async def _answer(
    method: str,
    headers: Mapping[bytes, bytes],
    source: Source,
    size: int,
    kind: bytes,
    named: list[responses.Header],
) -> responses.Response | Download:
    """If-None-Match goes before Range, and Range is for GET alone. Errors: those of the store; Refused with 416."""
    etag = named[0][1]
    if unchanged(headers.get(b"if-none-match"), etag):
        return responses.Response(HTTPStatus.NOT_MODIFIED, b"", named)
    try:
        wanted = headers.get(b"range") if method == "GET" and applies(headers.get(b"if-range"), etag) else None
        range = parsed(wanted, size)
    except Unsatisfiable as error:
        whole = [(b"content-range", f"bytes */{size}".encode())]
        detail = f"the audio has {size} bytes; ask for a range within them"
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        raise Refused(responses.problem(status, "range_not_satisfiable", detail, extra=whole, outcome="")) from error
    start, stop = range or Range(0, size)
    described = [(b"content-type", kind), (b"content-length", str(stop - start).encode()), *named]
    if range is not None:
        described.append((b"content-range", f"bytes {start}-{stop - 1}/{size}".encode()))
    response = responses.Response(HTTPStatus.OK if range is None else HTTPStatus.PARTIAL_CONTENT, b"", described)
    if method == "HEAD":
        return response
    return Download(response, source, Range(start, stop), await source.part(start, stop))


def _attached(options: Mapping[str, str]) -> bool:
    value = options.get("download", "0")
    if value not in ("0", "1"):
        raise refused([Problem("download", "is neither 0 nor 1; 1 makes browsers save the audio")])
    return value == "1"


def _disposition(name: str, extension: str, attached: bool) -> bytes:
    """As the store that hands its objects out itself has it."""
    name = with_extension(name, extension)
    return (attachment(name) if attached else inline(name)).encode()


def _redirect(link: str) -> responses.Response:
    headers = [(b"location", link.encode()), (b"content-length", b"0"), responses.NO_STORE]
    return responses.Response(HTTPStatus.TEMPORARY_REDIRECT, b"", headers)


def _missing(key: str) -> Refused:
    detail = (
        f"the audio is gone from the store, where it was {key}; `streamer replay` of its id makes it again, or send "
        "the request again under another id"
    )
    return Refused(responses.problem(HTTPStatus.GONE, "audio_gone", detail, outcome=""))
