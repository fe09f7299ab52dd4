"""The demo's four requests: posted to the bridge, awaited on the topics of results, told as a table."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from streamer.clock import Clock
from streamer.downstream.follow import Follower
from streamer.errors import StreamerError
from streamer.records import Result, SpeechCompleted

SOURCE = "demo"
_PAUSE = 0.2
_ANSWER = 10.0


class Sample(NamedTuple):
    """A request to be; its id is the name and what tells the runs of the demo apart."""

    name: str
    text: str
    voice: str


SAMPLES = (
    Sample("order", "您好，您的订单已支付成功，共计三百二十八元，我们会尽快为您发货。", "support"),
    Sample("shipment", "Your parcel has left our warehouse and will be with you on Thursday before noon.", "news"),
    Sample("greeting", "Welcome back, Ms. Chen. Your private lounge is ready whenever you are.", "vip"),
    Sample("mixed", "您的 laptop 已经发货，tracking number 是 2468，预计 Friday 送到。", "manager"),
)


class Posted(NamedTuple):
    """A request that the bridge accepted; `at`: the clock's monotonic seconds just before it was posted."""

    id: str
    text: str
    at: float


class Outcome(NamedTuple):
    """What became of a request; `result` is None where none was seen in time. `latency` in seconds."""

    posted: Posted
    result: Result | None
    latency: float

    @property
    def spoken(self) -> bool:
        return isinstance(self.result, SpeechCompleted)


def post(base: str, token: str, sample: Sample, run: str, voices: tuple[str, ...], clock: Clock) -> Posted:
    """Post one sample, and again with the same id while the bridge answers 503, which means unknown.

    Errors: StreamerError with the bridge's answer.
    """
    request = {"source": SOURCE, "id": f"{sample.name}-{run}", "text": sample.text}
    if sample.voice in voices:  # of a voices file of one's own the default speaks
        request["voice"] = sample.voice
    began = clock.monotonic()
    while True:
        status, answer = _exchange(base, token, msgspec.json.encode(request))
        if status == http.client.ACCEPTED:
            return Posted(request["id"], sample.text, began)
        if status != http.client.SERVICE_UNAVAILABLE or clock.monotonic() - began > _ANSWER:
            raise StreamerError(f"the bridge at {base} answered {status}: {answer.decode('utf-8', 'replace')[:500]}")
        clock.sleep(_PAUSE)


def _exchange(base: str, token: str, body: bytes) -> tuple[int, bytes]:
    address = urlsplit(base)
    headers = {"Content-Type": "application/json"} | ({"X-Webhook-Token": token} if token else {})
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_ANSWER)
    try:
        connection.request("POST", "/webhook/tts", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError as error:
        raise StreamerError(f"the bridge at {base} does not answer: {error}") from error
    finally:
        connection.close()


def outcomes(
    follower: Follower[Result], posted: list[Posted], clock: Clock, timeout: float, check: Callable[[], None]
) -> list[Outcome]:
    """Wait until each of them has its result, at most `timeout` seconds. `check` raises where waiting has no use."""
    seen: dict[str, tuple[Result, float]] = {}
    ids = {request.id for request in posted}
    end = clock.monotonic() + timeout
    while len(seen) < len(ids) and clock.monotonic() < end:
        check()
        for result in follower.poll(_PAUSE):
            if result.source == SOURCE and result.id in ids:
                seen.setdefault(result.id, (result, clock.monotonic()))
    return [_outcome(request, seen, clock.monotonic()) for request in posted]


def _outcome(posted: Posted, seen: Mapping[str, tuple[Result, float]], now: float) -> Outcome:
    result, at = seen.get(posted.id, (None, now))
    return Outcome(posted, result, at - posted.at)
