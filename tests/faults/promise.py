"""The promise, checked from outside: the committed results, the requests' topic and the store alone."""

from __future__ import annotations

import hashlib
import io
import wave
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import closing

from streamer.identity import Identity
from streamer.records import Result, SpeechCompleted, SpeechRequest
from streamer.store.base import Store
from streamer.store.verdicts import Verdicts
from streamer.wire import avro
from tests.faults.cluster import Deployment


def check(deployment: Deployment, requests: Mapping[str, SpeechRequest], failing: Collection[str] = ()) -> int:
    """Every id once over tts.completed and tts.failed, nothing else, and all that they say is true. How many audios."""
    reads = deployment.results()
    counts = Counter(read.result.id for read in reads)
    assert {id_ for id_, count in counts.items() if count > 1} == set(), "more than one result"
    assert set(requests) - set(counts) == set(), "no result"
    assert set(counts) - set(requests) == set(), "a result of nobody's request"
    sent = {
        (record.partition.number, record.offset): avro.requests().decode(record.value)
        for record in deployment.records(deployment.kafka.topics.requests)
    }
    with closing(deployment.opened_store()) as store:
        failed = {result.id for result, _ in reads if not _kept(store, result, requests[result.id], sent)}
    assert failed == set(failing)
    return len(reads) - len(failed)


def _kept(store: Store, result: Result, request: SpeechRequest, sent: Mapping[tuple[int, int], SpeechRequest]) -> bool:
    """Its record and its verdict are as it says. Whether it has audio, which is then right."""
    position = result.position
    assert sent[position.partition, position.offset] == request
    verdict = Verdicts(store).latest(Identity(result.source, result.id))
    assert verdict is not None
    assert (verdict.owner.partition, verdict.owner.offset) == (position.partition, position.offset)
    if not isinstance(result, SpeechCompleted):
        return False
    assert result.text == request.text
    check_audio(result, store)
    return True


def check_audio(result: SpeechCompleted, store: Store) -> None:
    audio = result.audio
    key = "/".join(audio.uri.split("/")[-2:])
    assert store.uri(key) == audio.uri
    data = store.get(key)
    assert data is not None, audio.uri
    assert (len(data), hashlib.sha256(data).hexdigest()) == (audio.bytes, audio.sha256), audio.uri
    with wave.open(io.BytesIO(data)) as file:
        pcm = file.readframes(file.getnframes())
        assert (file.getframerate(), file.getnframes()) == (audio.sample_rate, audio.frames)
    assert hashlib.sha256(pcm).hexdigest() == audio.pcm_sha256
    assert audio.duration == audio.frames / audio.sample_rate
