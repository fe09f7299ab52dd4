"""GET /jobs/{id}: what became of a request, by its verdict: the same from every bridge and after every restart."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope

from streamer.bodies import SOURCE
from streamer.bridge import paths, responses
from streamer.bridge.core import Bridge
from streamer.bridge.documents import AudioBody, Job, JobAccepted, JobCompleted, JobFailed
from streamer.bridge.gate import Gate, Refused
from streamer.bridge.lookups import Lookups
from streamer.errors import StoreError
from streamer.identity import Identity
from streamer.records import Engine, FailureCode
from streamer.store.verdicts import Completed, Verdict
from streamer.validation import Problem

METHODS = ("GET", "HEAD")
_MAX_FIELDS = 10
_FOLLOWS = "its record on {0} follows, where it is not there yet"
_SPOKEN = "decided, and the audio is stored; " + _FOLLOWS.format("tts.completed")
_PROMOTED = "made again and promoted by the replay {0}; tts.replayed tells of it, tts.completed of the audio before"
_DELETED = "deleted, text and audio; where its result was not committed before, it follows on tts.failed"


class Asked(NamedTuple):
    """Which job, and the other parameters of the query."""

    identity: Identity
    options: dict[str, str]


class Jobs:
    """Looks verdicts up, and says what they mean."""

    def __init__(self, bridge: Bridge, lookups: Lookups, gate: Gate, timeout: float) -> None:
        """`timeout`: seconds that the store may take."""
        self._bridge, self._lookups, self._gate, self._timeout = bridge, lookups, gate, timeout

    async def __call__(self, scope: Scope, receive: Receive) -> responses.Response:
        self._gate.admitted(scope, METHODS)
        raw, _ = paths.job(scope["raw_path"][len(paths.JOBS) :])
        identity = asked(raw, scope["query_string"], ()).identity
        verdict = await self.verdict(identity)
        if verdict is not None:
            return _json(described(verdict))
        if self._bridge.acknowledged(identity):
            detail = "Kafka has it, and no worker has decided it yet"
            return _json(JobAccepted(source=identity.source, id=identity.id, detail=detail))
        raise unknown(identity)

    async def verdict(self, identity: Identity) -> Verdict | None:
        """Errors: Refused with 503 where the store does not answer."""
        try:
            return await self._lookups.latest(identity, self._timeout)
        except StoreError as error:
            raise unavailable(str(error)) from error


def asked(raw: bytes, query: bytes, options: tuple[str, ...]) -> Asked:
    """The id of a path and the source of a query. Errors: Refused with 400, or 404 where there is no id."""
    found: list[Problem] = []
    id, given = "", {}
    try:
        id = paths.decoded(raw)
    except paths.BadPath as error:
        found.append(Problem("id", str(error)))
    try:
        given = dict(
            parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
        )
    except ValueError as error:
        found.append(Problem("query", f"cannot be read ({error}); percent-encode UTF-8"))
    known = ("source", *options)
    strange = f"is no parameter here; known: {', '.join(known)}"
    found += [Problem(name[:80], strange) for name in given if name not in known]
    if found:
        raise refused(found)
    identity = Identity(given.pop("source", SOURCE), id)
    if not id:
        raise unknown(identity)
    return Asked(identity, given)


def refused(found: list[Problem]) -> Refused:
    """All that is wrong with the path and the query: 400."""
    detail = "; ".join(f"{field}: {message}" for field, message in found)
    return Refused(responses.problem(HTTPStatus.BAD_REQUEST, "malformed_request", detail, found, outcome=""))


def described(verdict: Verdict) -> Job:
    """What a verdict says of its job. It proves an attempt, not a commit, and the words say no more."""
    identity, state = verdict.identity, verdict.state
    if not isinstance(state, Completed):
        known = state.code in FailureCode.__members__.values()
        return JobFailed(
            source=identity.source,
            id=identity.id,
            generation=verdict.generation,
            code=state.code,
            message=state.message,
            retryable=known and FailureCode(state.code).retryable,
            attempts=state.attempts,
            decided_at=verdict.decided_at,
            detail=_DELETED if verdict.deleted else "decided; " + _FOLLOWS.format("tts.failed"),
        )
    recipe = state.recipe
    audio = AudioBody(**msgspec.structs.asdict(state.audio), link=paths.audio(identity.source, identity.id))
    return JobCompleted(
        source=identity.source,
        id=identity.id,
        generation=verdict.generation,
        text=recipe.text,
        voice=recipe.voice,
        engine=Engine(name=recipe.engine, revision=recipe.revision, seed=recipe.seed),
        audio=audio,
        timings=state.timings,
        output_name=state.output_name,
        decided_at=verdict.decided_at,
        detail=_PROMOTED.format(verdict.run) if verdict.run else _SPOKEN,
    )


def unknown(identity: Identity) -> Refused:
    detail = (
        f"no verdict on id {identity.id[:200]!r} of source {identity.source[:200]!r}, and this bridge has not "
        "published it lately; another bridge or producer may have; name the source with ?source="
    )
    return Refused(responses.problem(HTTPStatus.NOT_FOUND, "unknown_job", detail, state="unknown", outcome=""))


def unavailable(reason: str) -> Refused:
    return Refused(
        responses.problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "store_unavailable",
            f"the store could not be read: {reason}; ask again",
            extra=[responses.retry_after(1)],
            outcome="",
        )
    )


def _json(job: Job) -> responses.Response:
    return responses.json(HTTPStatus.OK, job, [responses.NO_STORE])
