"""The codecs that the configuration asks for."""

from __future__ import annotations

from typing import Literal

from streamer.clock import Clock
from streamer.settings import Settings
from streamer.wire import avro
from streamer.wire.avro import AvroCodec
from streamer.wire.base import Codecs, R
from streamer.wire.confluent import ConfluentCodec
from streamer.wire.registry import Registry

Topic = Literal["requests", "completed", "failed", "replayed"]


def subject(topic: str) -> str:
    """Where the schema of a topic's values is registered (Confluent's TopicNameStrategy)."""
    return f"{topic}-value"


def unregistered(settings: Settings) -> list[str]:
    """The subjects that lack our schema. Errors: as `open_codecs`."""
    registry, names = Registry(settings.schema_registry), settings.kafka.topics
    ours = {
        subject(names.requests): avro.requests().current,
        subject(names.completed): avro.completed().current,
        subject(names.failed): avro.failed().current,
        subject(names.replayed): avro.replayed().current,
    }
    return [name for name, schema in ours.items() if not registry.holds(name, schema)]


def open_codecs(settings: Settings, clock: Clock, *writes: Topic) -> Codecs:
    """The codecs of the four topics; `writes`: those that the caller will encode for.

    With `schema_registry.url` the schemas of `writes` are registered here, in the subject `<topic>-value`; the others
    can only be read. Errors: ConfigurationError (the registry refuses a schema or the credentials, the extra is not
    installed), RegistryUnavailable.
    """
    plain = avro.requests(), avro.completed(), avro.failed(), avro.replayed()
    if not settings.schema_registry.url:
        return Codecs(*plain)
    registry, names = Registry(settings.schema_registry), settings.kafka.topics

    def codec(topic: Topic, name: str, plain: AvroCodec[R]) -> ConfluentCodec[R]:
        schema_id = registry.register(subject(name), plain.current) if topic in writes else None
        return ConfluentCodec(plain, registry, clock, schema_id)

    return Codecs(
        codec("requests", names.requests, plain[0]),
        codec("completed", names.completed, plain[1]),
        codec("failed", names.failed, plain[2]),
        codec("replayed", names.replayed, plain[3]),
    )
