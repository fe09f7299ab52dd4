"""What the simulated senders send, and what they may expect of each record."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from typing import NamedTuple

from streamer.identity import Identity, derived_id, fingerprint, raw_fingerprint
from streamer.kafka.base import Message
from streamer.records import Event, Prompt, SpeechRequest
from tests.simulation.reference import LOST, REFERENCE

TOPIC = "tts.requests"
POISON = "poison"
"""Texts with this word fail until they are cured."""
REFUSED = "refused"
"""Texts with this word make audio that the store never takes."""
FLAWED = "flawed"
"""Texts with this word are spoken as silence."""
FLAWED_SEED = 5
"""So is every text with this seed, but not with the next one."""
KILLER, LATE_KILLER, CHOKER = "killer", "late killer", "choker"
"""Texts with these words kill the process that speaks them, that speaks them under an even revision, and that writes
their audio, until they are cured."""
KILLERS = {KILLER: 4, LATE_KILLER: 4, CHOKER: 4}
"""Of every other history; and how often."""
PROMPTED, UNPROMPTED = "prompted", "unprompted"
"""Texts with these words come with an audio of the store as their prompt, and with one that is not there."""
SCHEMA_ID = 7
"""What the registry calls the schema of requests; it knows no other."""

RULES = (
    """
    [events.paid]
    template = "order {{ data.n }} is paid"
    [events.broken]
    template = "{{ data.nothing }}"
    [events.unwanted]
    template = "never"
    when = "data.n < 0"
    [events.brief]
    template = "brief {{ data.n }} word word word"
    ttl = "4s"
    """,
    """
    [events.paid]
    template = "your order {{ data.n }} has been paid word word word"
    [events.broken]
    template = "mended {{ data.n }}"
    [events.unwanted]
    template = "never"
    when = "data.n < 0"
    [events.brief]
    template = "brief {{ data.n }}"
    ttl = "3s"
    """,
)
"""Two versions of events.toml, deployed in turn: in the first, one template fails."""

EVENTS = {
    "paid": {"ok"},
    "broken": {"ok", "template_error"},
    "unwanted": {"not_wanted"},
    "brief": {"ok", "expired"},
}
"""Types, and how they may end."""
_KINDS = {
    "plain": 22,
    "twice": 6,
    "elsewhere": 12,
    "conflict": 6,
    "garbage": 3,
    "unknown schema": 2,
    "expiring": 8,
    "nameless": 4,
    POISON: 5,
    REFUSED: 3,
    "invalid": 3,
    FLAWED: 3,
    "flawed seed": 4,
    PROMPTED: 8,
    UNPROMPTED: 3,
    "paid": 6,
    "broken": 8,
    "unwanted": 4,
    "brief": 6,
}
"""What a sender does, and how often."""

Encode = Callable[[SpeechRequest], bytes]


class Sent(NamedTuple):
    """One record to be published, and once it is, where it stands."""

    identity: Identity | None
    """None: derived from its position."""
    generation: int
    fingerprint: str
    expected: frozenset[str]
    """Codes that its id may end with if this record decides it; `ok` for completed."""
    message: Message
    text: str = ""


class Published(NamedTuple):
    sent: Sent
    partition: int
    offset: int

    def identity(self, topic_id: uuid.UUID) -> Identity:
        return self.sent.identity or Identity(
            "shop" if self.sent.expected != {"undecodable"} else "", derived_id(topic_id, self.partition, self.offset)
        )


class Workload:
    """Requests, half of them plain; the rest whatever senders and brokers do to a topic."""

    def __init__(self, rng: random.Random, encode: Encode, framed: Encode, partitions: int, now: int) -> None:
        """`framed`: encodes for readers that must ask a registry for the schema."""
        self._rng, self._encodings, self._partitions, self._now = rng, (encode, encode, encode, framed), partitions, now
        self.records: list[Sent] = []
        self._kinds = _KINDS | rng.choice([{}, KILLERS])
        for number in range(rng.randint(6, 16)):
            self._add(f"id-{number}")
        rng.shuffle(self.records)

    def _add(self, name: str) -> None:
        kind = self._rng.choices(list(self._kinds), list(self._kinds.values()))[0]
        partition = self._rng.randrange(self._partitions)
        words = "word " * self._rng.choice([1, 2, 3, 12])
        request = SpeechRequest(source="shop", id=name, text=words + name)
        if kind in ("garbage", "unknown schema"):
            value = self._rng.randbytes(self._rng.randint(0, 20))
            if kind == "unknown schema":
                value = b"\0" + (SCHEMA_ID + self._rng.randint(1, 2)).to_bytes(4, "big") + value
            message = Message(topic=TOPIC, key=name.encode(), value=value, partition=partition)
            self.records.append(Sent(None, 1, raw_fingerprint(value), frozenset({"undecodable"}), message))
            return
        expected = {"ok"}
        if kind == "expiring":
            expires = self._now + self._rng.randint(500, 20_000)
            request = SpeechRequest(source="shop", id=name, text=words + name, expires_at=expires)
            expected = {"ok", "expired"}
        elif kind == "nameless":
            request = SpeechRequest(source="shop", text=words + name)
        elif kind == "invalid":
            request, expected = SpeechRequest(source="shop", id=name, text=" "), {"text_empty"}
        elif kind == POISON or kind in KILLERS:
            request, expected = SpeechRequest(source="shop", id=name, text=f"{kind} {name}"), {"synthesis_failed"}
            if kind == LATE_KILLER:
                expected.add("ok")
        elif kind == REFUSED:
            request, expected = SpeechRequest(source="shop", id=name, text=f"{REFUSED} {name}"), {"store_rejected"}
        elif kind == FLAWED:
            request, expected = SpeechRequest(source="shop", id=name, text=f"{FLAWED} {name}"), {"speech_rejected"}
        elif kind in (PROMPTED, UNPROMPTED):
            key = REFERENCE if kind == PROMPTED else LOST
            prompt = Prompt(prompt_audio=f"memory:///{key}", prompt_text="a voice")
            request = SpeechRequest(source="shop", id=name, text=f"{kind} {words}{name}", prompt=prompt)
            expected = {"ok" if kind == PROMPTED else "voice_unknown"}
        elif kind == "flawed seed":
            request = SpeechRequest(source="shop", id=name, text=words + name, seed=FLAWED_SEED)
        elif kind in EVENTS:
            event = Event(type=kind, data=json.dumps({"n": self._rng.randrange(1000)}))
            request, expected = SpeechRequest(source="shop", id=name, event=event), EVENTS[kind]
        self._send(request, partition, expected)
        if kind == "twice":
            self._send(request, partition, expected)
        elif kind in ("elsewhere", "paid", "broken", PROMPTED):
            self._send(request, (partition + 1) % self._partitions, expected)
        elif kind == "conflict":
            other = SpeechRequest(source="shop", id=name, text=f"another {name}")
            self._send(other, self._rng.randrange(self._partitions), {"ok"})

    def _send(self, request: SpeechRequest, partition: int, expected: set[str]) -> None:
        self.records.append(sent(self._rng.choice(self._encodings), request, partition, expected))


def sent(encode: Encode, request: SpeechRequest, partition: int, expected: set[str]) -> Sent:
    identity = Identity(request.source, request.id) if request.id else None
    value = encode(request)
    message = Message(topic=TOPIC, key=identity.key if identity else None, value=value, partition=partition)
    return Sent(identity, 1, fingerprint(request), frozenset(expected), message, request.text or "")
