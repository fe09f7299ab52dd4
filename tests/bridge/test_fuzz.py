"""Whatever comes: no 5xx, no traceback, no answer that /openapi.json does not know, and 202 only for what Kafka has."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.bodies import RequestBody, SourceEventBody
from streamer.identity import Identity
from streamer.records import SpeechRequest
from streamer.store.memory import MemoryStore
from streamer.validation import problems
from streamer.wire import avro
from tests.bridge.running import TOPIC, Running, decide, running, speak

LEAST = 5_000
"""Bad inputs, that is refused ones; the good ones among them and tests/test_garbage.py come on top."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
LIKELY = {
    "source": st.text(min_size=1, max_size=5),
    "id": st.sampled_from(["1", "2", "", "a/b", "语"]),
    "text": st.text(min_size=1),
    "input_text": st.text(min_size=1),
    "event": st.fixed_dictionaries({"type": st.text(), "data": JSON}),
    "type": st.text(),
    "data": st.dictionaries(st.text(), JSON, max_size=3),
    "prompt": st.fixed_dictionaries({}, optional={"prompt_audio": st.text(), "prompt_text": st.text()}),
    "prompt_text": st.text(),
    "format": st.sampled_from(["wav", "mp3", "pcm", "x"]),
    "sample_rate": st.integers(7_000, 50_000),
    "seed": st.integers(),
    "output_name": st.text(),
    "metadata": st.dictionaries(st.text(), st.text()),
    "callback": st.sampled_from(["http://a", "http://[", "ftp://a"]) | st.text(),
    "expires_at": st.integers() | st.datetimes().map(str),
}


def bodies(*names: str) -> st.SearchStrategy[bytes]:
    """JSON with some of these fields, likely values and unlikely ones; and bytes."""
    fields = {name: LIKELY.get(name, st.text()) | JSON for name in names} | {"other": JSON}
    plausible = st.fixed_dictionaries({}, optional={name: LIKELY.get(name, st.text()) for name in names})
    objects = st.fixed_dictionaries({}, optional=fields) | plausible
    return objects.map(lambda fields: json.dumps(fields).encode()) | st.binary() | JSON.map(json.dumps).map(str.encode)


GOOD = st.fixed_dictionaries({"id": st.sampled_from("12"), "text": st.sampled_from("ab")})
REQUESTS = bodies(*RequestBody.__struct_fields__) | GOOD.map(json.dumps).map(str.encode)
PAID = st.fixed_dictionaries(
    {"type": st.sampled_from(["order.paid", ""]), "data": st.just({"a": 1.10})},
    optional={name: LIKELY[name] for name in ("id", "format", "seed", "metadata")},
)
EVENTS = bodies(*SourceEventBody.__struct_fields__) | PAID.map(json.dumps).map(str.encode)
PATHS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: quote(text, safe="")),
    st.text("abc/%2fF0.+~;=", max_size=12),
    st.sampled_from(["1", "2", "3", "1/audio", "2/audio", "a%2Fb/audio"]),
)
QUERIES = st.sampled_from(["", "?source=shop", "?source=shop&download=1"])
ODD_QUERIES = st.text("source=dwnla&%f?", max_size=20).map("?{}".format)
RANGES = st.from_regex(r"\Abytes=[0-9]{0,3}-[0-9]{0,3}\Z") | st.text("bytes=-, 0123456789")
CONDITIONS = st.sampled_from(["*", '"', 'W/"a"'])
KINDS = st.sampled_from(["application/json", "application/x-ndjson", "application/jsonl", "text/plain", ""])


class Fuzzed:
    """One bridge for many inputs; it counts their answers by status, and reads what they left in Kafka."""

    def __init__(self, runner: asyncio.Runner, bridge: Running) -> None:
        self._runner, self.bridge = runner, bridge
        self.statuses: Counter[int] = Counter()
        self._offsets = [0] * len(bridge.cluster.logs(TOPIC))
        self._taken: set[str] = set()

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        self._runner.run(scenario)

    def taken(self) -> set[str]:
        """Ids of all that is in Kafka, each of which keeps the rules."""
        for number, log in enumerate(self.bridge.cluster.logs(TOPIC)):
            for record in log.read(self._offsets[number], 10_000)[0]:
                self._offsets[number] = record.offset + 1
                request = avro.requests().decode(record.value)
                assert problems(request) == []
                assert record.key == Identity(request.source, request.id).key
                self._taken.add(request.id)
        return self._taken

    def holds(self, status: int, answer: Any) -> None:
        self.statuses[int(status)] += 1
        assert status < 500, answer
        if status == 202:
            assert answer["task_id"] in self.taken()
        elif status in (400, 422) and answer:
            assert answer["errors"]


def fuzz(each: Callable[[Fuzzed], Callable[[], None]]) -> Counter[int]:
    """Run a property on a bridge of its own; its answers by status."""
    store = MemoryStore()
    speak(store, SpeechRequest(source="shop", id="1", text="hello"), b"0123456789" * 30)
    decide(store, SpeechRequest(source="shop", id="2", text="hello"), failed=True)
    with asyncio.Runner() as runner:
        context = running(store=store, max_body=2_000, max_batch=20_000)
        fuzzed = Fuzzed(runner, runner.run(context.__aenter__()))
        try:
            each(fuzzed)()
        finally:
            runner.run(context.__aexit__(None, None, None))
    return fuzzed.statuses


thorough = settings(suppress_health_check=list(HealthCheck))


def posted(fuzzed: Fuzzed) -> Callable[[], None]:
    async def scenario(sent: list[bytes], kind: str) -> None:
        before = len(fuzzed.taken())
        posts = [fuzzed.bridge.post(content=body, headers={"content-type": kind}) for body in sent]
        answers = await asyncio.gather(*posts)
        for answer in answers:
            fuzzed.holds(answer.status_code, answer.json())
        assert len(fuzzed.taken()) - before <= sum(answer.status_code == 202 for answer in answers)

    @settings(thorough, max_examples=1_000)
    @given(st.lists(REQUESTS, min_size=1, max_size=5), st.just("application/json") | KINDS)
    def property(sent: list[bytes], kind: str) -> None:
        fuzzed.run(scenario(sent, kind))

    return property


def batches(fuzzed: Fuzzed) -> Callable[[], None]:
    async def scenario(lines: list[bytes], kind: str) -> None:
        content = b"\n".join(lines)
        answer = await fuzzed.bridge.raw("POST", "/webhook/tts/batch", content=content, headers={"content-type": kind})
        assert answer.status_code in (200, 207, 413, 415)
        if answer.status_code > 207:
            fuzzed.holds(answer.status_code, answer.json())
            return
        answers = [json.loads(line) for line in answer.content.splitlines()]
        sent = [number for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
        assert [each["line"] for each in answers] == sent
        for each in answers:
            fuzzed.holds(each["status"], each["answer"])

    @settings(thorough, max_examples=600)
    @given(st.lists(REQUESTS, min_size=1, max_size=5), st.just("application/x-ndjson") | KINDS)
    def property(lines: list[bytes], kind: str) -> None:
        fuzzed.run(scenario(lines, kind))

    return property


def events(fuzzed: Fuzzed) -> Callable[[], None]:
    async def scenario(source: str, body: bytes) -> None:
        answer = await fuzzed.bridge.raw(
            "POST", f"/webhook/events/{source}", content=body, headers={"content-type": "application/json"}
        )
        fuzzed.holds(answer.status_code, answer.json())

    @settings(thorough, max_examples=1_200)
    @given(st.just("shop") | PATHS, EVENTS)
    def property(source: str, body: bytes) -> None:
        fuzzed.run(scenario(source, body))

    return property


def reads(fuzzed: Fuzzed) -> Callable[[], None]:
    async def scenario(path: str, query: str, headers: dict[str, str], method: str) -> None:
        answer = await fuzzed.bridge.raw(method, f"/jobs/{path}{query}", headers=headers)
        fuzzed.holds(
            answer.status_code, answer.text and method == "GET" and answer.status_code >= 400 and answer.json()
        )

    wanted = st.fixed_dictionaries(
        {}, optional={"range": RANGES, "if-none-match": st.sampled_from(["*", '"', 'W/"a"'])}
    )

    known = st.tuples(st.sampled_from(["1/audio", "2/audio"]), st.just("?source=shop"))
    anywhere = st.tuples(PATHS, QUERIES | ODD_QUERIES) | known

    @settings(thorough, max_examples=1_600)
    @given(anywhere, wanted, st.sampled_from(["GET", "GET", "HEAD", "DELETE"]))
    def property(where: tuple[str, str], headers: dict[str, str], method: str) -> None:
        fuzzed.run(scenario(*where, headers, method))

    return property


def test_whatever_comes_nothing_breaks_and_nothing_is_accepted_in_vain(capfd: pytest.CaptureFixture[str]) -> None:
    met = {each.__name__: fuzz(each) for each in (posted, batches, events, reads)}
    told = capfd.readouterr()
    assert "Traceback" not in told.err
    assert '"level": "error"' not in told.err
    assert sum(count for statuses in met.values() for status, count in statuses.items() if status >= 400) >= LEAST, met
    # That they came far enough to mean something.
    assert met["posted"].keys() >= {202, 400, 409, 415, 422}
    assert met["batches"].keys() >= {202, 400, 415, 422}
    assert met["events"].keys() >= {202, 400, 422}
    assert met["reads"].keys() >= {200, 206, 304, 400, 404, 405, 409, 416}
    with capfd.disabled():
        print("\n" + "; ".join(f"{name}: {dict(sorted(statuses.items()))}" for name, statuses in met.items()))
