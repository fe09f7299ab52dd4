"""The codecs that the configuration asks for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from streamer.settings import Settings
from streamer.wire import avro
from streamer.wire.base import Codecs

Topic = Literal["requests", "completed", "failed"]


def open_codecs(settings: Settings, writes: Collection[Topic]) -> Codecs:
    """The codecs of the three topics; `writes`: those that the caller will encode for.

    With `schema_registry.url` the schemas of `writes` are registered here; the others can only be read. Errors:
    ConfigurationError (the registry refuses a schema or the credentials, the extra is not installed),
    RegistryUnavailable.
    """
    return Codecs(avro.requests(), avro.completed(), avro.failed())
