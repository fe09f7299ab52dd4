"""A Schema Registry: numbers of schemas, and schemas by their number, through confluent-kafka's client."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from streamer.errors import ConfigurationError, RegistryUnavailable
from streamer.settings import SchemaRegistry
from streamer.wire.schemas import Schema

T = TypeVar("T")

# The registry's own codes beside HTTP's 404. A 404 without one comes from something else: a wrong path, a proxy.
_NO_SUBJECT = 40401
_NOT_FOUND = (_NO_SUBJECT, 40402, 40403)
_LATER = (408, 429)
_MOST_REFERENCES = 20


class Found(NamedTuple):
    """A schema as the registry keeps it."""

    kind: str
    """AVRO, JSON or PROTOBUF."""
    text: str
    references: tuple[str, ...]
    """The schemas whose names it uses, each behind those that it uses itself."""


class Registry:
    """Every call blocks, at most for schema_registry.timeout to connect and as long to answer; any thread may call.

    Each call has a client of its own: they are few, and the client's cache of what it was ever asked has no bound.
    """

    def __init__(self, settings: SchemaRegistry) -> None:
        """Errors: ConfigurationError where the extra is not installed, or a property is wrong."""
        try:
            from confluent_kafka import schema_registry
        except ImportError as error:
            raise ConfigurationError(
                [f"schema_registry.url: this needs packages of an extra ({error}): pip install 'streamer[registry]'"]
            ) from error
        self._api: Any = schema_registry
        # Not repeated here: who asks knows better whether to wait, and for how long.
        self._properties = {"timeout": settings.timeout, "max.retries": 0, **settings.properties, "url": settings.url}
        self._url = re.sub(r"//[^/@,]*@", "//", settings.url)
        try:
            self._api.SchemaRegistryClient(self._properties).close()
        except (ValueError, TypeError, OSError) as error:  # OSError: a certificate that cannot be read
            raise ConfigurationError([f"schema_registry (url or properties): {error}"]) from error

    @property
    def url(self) -> str:
        """Without credentials, for messages."""
        return self._url

    def register(self, subject: str, schema: Schema) -> int:
        """The number of our schema in `subject`, which is registered there if it was not.

        It is looked up first, so that only the first to come needs the right to write.

        Errors: ConfigurationError with the registry's reason: not compatible, no right; RegistryUnavailable.
        """
        return self._answer(subject, schema, self._number)

    def holds(self, subject: str, schema: Schema) -> bool:
        """Whether the schema is registered in `subject`; changes nothing. Errors: as `register`."""
        return self._answer(subject, schema, lambda *question: self._found(*question)[0] is not None)

    def _answer(self, subject: str, schema: Schema, question: Callable[[Any, str, Any], T]) -> T:
        ours = self._api.Schema(json.dumps(schema), "AVRO")
        try:
            return self._asked(lambda client: question(client, subject, ours))
        except self._api.SchemaRegistryError as error:
            raise ConfigurationError([self._refusal(subject, error)]) from error

    def schema(self, schema_id: int) -> Found | None:
        """The schema of that number, None where there is none. Errors: RegistryUnavailable."""

        def ask(client: Any) -> Found:
            schema = client.get_schema(schema_id)
            if not isinstance(schema.schema_str, str):
                raise ValueError("an answer without a schema")
            return Found(schema.schema_type or "AVRO", schema.schema_str, tuple(_references(client, schema, set())))

        try:
            return self._asked(ask)
        except self._api.SchemaRegistryError as error:
            if error.error_code in _NOT_FOUND:
                return None
            raise RegistryUnavailable(
                f"{self.url} does not give schema {schema_id}: {error}; see schema_registry.url and .properties"
            ) from error

    def _asked(self, question: Callable[[Any], T]) -> T:
        """Errors: SchemaRegistryError for an answer that stays the same; RegistryUnavailable for the rest."""
        try:
            with self._api.SchemaRegistryClient(self._properties) as client:
                return question(client)
        except self._api.SchemaRegistryError as error:
            if error.http_status_code < 500 and error.http_status_code not in _LATER:
                raise
            raise RegistryUnavailable(f"{self.url} answers {error}") from error
        except Exception as error:  # the errors of its HTTP library, of OAuth, of an answer that is none
            raise RegistryUnavailable(
                f"no Schema Registry answers at {self.url} ({type(error).__name__}: {error}); "
                "start it, or set schema_registry.url"
            ) from error

    def _number(self, client: Any, subject: str, ours: Any) -> int:
        number, is_new = self._found(client, subject, ours)
        if number is not None:
            return number
        if is_new and client.get_compatibility() == "NONE":
            # Apicurio's default checks nothing. A log holds records of all versions, so each must read them all.
            client.set_compatibility(subject, "BACKWARD_TRANSITIVE")
        return int(client.register_schema(subject, ours))

    def _found(self, client: Any, subject: str, ours: Any) -> tuple[int | None, bool]:
        """Its number there, if any, and whether the subject does not exist."""
        try:
            return int(client.lookup_schema(subject, ours).schema_id), False
        except self._api.SchemaRegistryError as error:
            if error.error_code not in _NOT_FOUND:
                raise
            return None, error.error_code == _NO_SUBJECT

    def _refusal(self, subject: str, error: Any) -> str:
        status, reason = error.http_status_code, error.error_message
        if status in (401, 403):
            return (
                f"schema_registry: {self.url} does not let us read or register subject {subject} ({status}: {reason}); "
                "give credentials that may, in schema_registry.properties (basic.auth.user.info)"
            )
        if status == 404:
            return (
                f"schema_registry.url: no Schema Registry at {self.url} (404); the URL ends where its API begins, "
                "Apicurio's in /apis/ccompat/v7"
            )
        if status == 409:
            return (
                f"schema_registry: subject {subject} at {self.url} holds a schema that ours is not compatible with: "
                f"{reason}. Another version of streamer or another program wrote it: use topics of another name "
                "(kafka.topics), or correct the subject"
            )
        return f"schema_registry: {self.url} does not take our schema for subject {subject}: {error}"


def _references(client: Any, schema: Any, seen: set[tuple[str, int]]) -> Iterator[str]:
    for reference in schema.references or ():
        key = (reference.subject, reference.version)
        if key not in seen and len(seen) < _MOST_REFERENCES:
            seen.add(key)
            used = client.get_version(*key, deleted=True).schema
            yield from _references(client, used, seen)
            yield used.schema_str
