"""The promise, checked from outside: the committed results, the requests' topic and the store alone."""

from __future__ import annotations

import hashlib
import wave
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamer.identity import Identity
from streamer.records import SpeechCompleted, SpeechRequest
from streamer.store.disk import DiskStore
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
    verdicts = Verdicts(DiskStore(deployment.store))
    failed = set()
    for result, _ in reads:
        request, position = requests[result.id], result.position
        assert sent[position.partition, position.offset] == request
        verdict = verdicts.latest(Identity(result.source, result.id))
        assert verdict is not None
        assert (verdict.owner.partition, verdict.owner.offset) == (position.partition, position.offset)
        if isinstance(result, SpeechCompleted):
            assert result.text == request.text
            check_audio(result)
        else:
            failed.add(result.id)
    assert failed == set(failing)
    return len(reads) - len(failed)


def check_audio(result: SpeechCompleted) -> None:
    audio = result.audio
    path = Path(unquote(urlsplit(audio.uri).path))
    data = path.read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (audio.bytes, audio.sha256), path
    with wave.open(str(path)) as file:
        pcm = file.readframes(file.getnframes())
        assert (file.getframerate(), file.getnframes()) == (audio.sample_rate, audio.frames)
    assert hashlib.sha256(pcm).hexdigest() == audio.pcm_sha256
    assert audio.duration == audio.frames / audio.sample_rate
