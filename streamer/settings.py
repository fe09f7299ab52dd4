"""The configuration: one frozen tree, loaded once, from TOML and the environment.

`STREAMER_SECTION__KEY` overrides `key` in `[section]`; unknown keys are errors, and all errors are listed at once.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from streamer.errors import ConfigurationError
from streamer.formats import FORMATS, MAX_RATE, MIN_RATE, FormatName, refusal
from streamer.resources import folder
from streamer.settings_engines import REQUIRED
from streamer.settings_engines import EngineChoice as EngineChoice
from streamer.settings_engines import Espeak as Espeak
from streamer.settings_engines import Glm as Glm
from streamer.settings_engines import Tone as Tone
from streamer.settings_section import Count, Seconds, Section, Share

_PREFIX = "STREAMER_"


class Topics(Section):
    """Names of the topics."""

    requests: str = "tts.requests"
    completed: str = "tts.completed"
    failed: str = "tts.failed"
    replayed: str = "tts.replayed"


class Kafka(Section):
    """The cluster, the group and the topics."""

    bootstrap_servers: str = "127.0.0.1:9092"
    group: str = Field("streamer", min_length=1)
    topics: Topics = Topics()
    protocol: Literal["classic", "consumer"] = "classic"
    """Group protocol; `consumer` (KIP-848) takes its session timeout from the broker."""
    static_membership: bool = False
    """Classic protocol only: a worker restarted within its session keeps its partitions."""
    session_timeout: Seconds = 6.0
    transaction_timeout: Seconds = 10.0
    """How long a dead worker's open transaction can hide what follows it."""
    single_broker: bool = False
    """True for a cluster of one broker (the embedded one): clients reconnect to it instead of asking another."""
    partitions: Count = 3
    replication: Count = 1
    retention_hours: Count = 168
    max_request_bytes: Count = 1_048_588
    """`max.message.bytes` of the request topic."""
    max_failed_bytes: int = Field(8_388_608, ge=262_144)
    """`max.message.bytes` of the failure topic: above what a request decompresses to. Larger originals are cut."""
    properties: dict[str, str | int | float | bool] = Field({})
    """Any librdkafka property (SASL, TLS, …), for every client."""

    @field_validator("max_failed_bytes")
    @classmethod
    def _above_requests(cls, value: int, info: Any) -> int:
        if value < 2 * info.data.get("max_request_bytes", 0):
            raise ValueError("must be at least twice max_request_bytes: a failure carries the whole original")
        return value


class Store(Section):
    """Audio and verdicts. One store serves all workers and bridges."""

    url: str = Field(default_factory=lambda: (Path.cwd() / ".streamer" / "store").as_uri())
    """file:///absolute/folder, s3://bucket/prefix, or memory: for tests."""
    endpoint: str = ""
    """S3 only: http(s)://host:port of a server that is not AWS. Credentials come from the usual AWS_ variables."""
    region: str = ""
    """S3 only; else AWS_REGION."""
    timeout: Seconds = 10.0
    """S3 only: seconds that one request may take."""
    link_seconds: int = Field(900, ge=1, le=604_800)
    """S3 only: how long a link to an audio file is good for."""
    threads: Count = 16
    """Look-ups and writes under way at once, in one worker."""


class Audio(Section):
    """The audio of requests that do not choose."""

    format: FormatName = "wav"
    sample_rate: int = Field(24_000, ge=MIN_RATE, le=MAX_RATE)
    """Hz. Telephony formats have their own, 8,000; one that cannot be written at this rate takes the next higher."""

    @field_validator("sample_rate")
    @classmethod
    def _written(cls, value: int, info: Any) -> int:
        name = info.data.get("format")
        if name is not None and not FORMATS[name].telephony and (reason := refusal(name, value)):
            raise ValueError(f"{reason} (audio.format)")
        return value


class Worker(Section):
    """The worker loop."""

    processes: int = Field(1, ge=0, le=64)
    """Under one supervisor. 0: one a GPU, and one where there is none or the engine takes none."""
    commit_interval: float = Field(0.1, ge=0.01, le=5)
    """Seconds from a durable result to its transaction."""
    commit_results: Count = 10_000
    commit_bytes: Count = 32 * 1024 * 1024
    poll_records: Count = 500
    window: int = Field(20_000, ge=1, le=20_000)
    """Offsets of a partition that may be open above its lowest unfinished record."""
    resume_share: Share = 0.7
    """A full worker reads again when this share of its capacity is left in use."""
    dead_letter_window: Count = 50
    dead_letter_share: Share = 0.6
    """Share of the last `dead_letter_window` records that may fail before the worker stops."""
    revoke_timeout: Seconds = 5.0
    """Seconds to commit what is durable when partitions are taken away."""
    drain_timeout: Seconds = 20.0
    """Seconds to finish what was admitted after SIGTERM."""
    call_limit: Seconds = 30.0
    """Seconds after which a client call counts as stuck, and the process leaves."""
    metrics_port: int = Field(0, ge=0, le=65_000)
    """Port of /metrics on 127.0.0.1, plus the slot; 0: none."""


class Bridge(Section):
    """The HTTP side."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65_535)
    token: str = ""
    """Expected in X-Webhook-Token; required unless bound to loopback."""
    ack_timeout: float = Field(1.5, gt=0, le=1.8)
    """Seconds that Kafka has to take a request before the answer is 503."""
    max_body: Count = 1_000_000
    """Bytes of one request."""
    max_batch: Count = 10_000_000
    """Bytes of a batch; each of its lines is a request."""
    max_pending: Count = 10_000
    """Ids on their way to Kafka at once; one more is answered 429."""
    rate: str = ""
    """Requests taken of each source, such as "100/second"; empty: any number."""
    drain_timeout: Seconds = 10.0


class SchemaRegistry(Section):
    """Where schemas are shared; without it every record carries its schema's fingerprint."""

    url: str = ""
    """http(s)://…, Confluent's API; Apicurio's stands at /apis/ccompat/v7. Empty: Avro single-object encoding."""
    timeout: Seconds = 5.0
    """Seconds that the registry has to answer."""
    properties: dict[str, str | int | float | bool] = Field({})
    """Any property of confluent-kafka's SchemaRegistryClient (basic.auth.user.info, ssl.ca.location, …)."""


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class VoicesFile(Section):
    file: Path = Field(default_factory=lambda: folder("configs") / "voices.toml")
    prompt_folders: list[Path] = Field([])
    """Absolute folders from which a request's own prompt_audio is read; none: from the store's audio alone."""

    @field_validator("prompt_folders")
    @classmethod
    def _absolute(cls, value: list[Path]) -> list[Path]:
        for path in value:
            if not path.is_absolute():
                raise ValueError(f"{str(path)!r} is not absolute; give whole paths, such as /srv/prompts")
        return value


class EventsFile(Section):
    file: Path = Field(default_factory=lambda: folder("configs") / "events.toml")


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    kafka: Kafka = Kafka()
    store: Store = Field(default_factory=Store)
    audio: Audio = Audio()
    engine: EngineChoice = EngineChoice()
    worker: Worker = Worker()
    bridge: Bridge = Bridge()
    voices: VoicesFile = Field(default_factory=VoicesFile)
    events: EventsFile = Field(default_factory=EventsFile)
    schema_registry: SchemaRegistry = SchemaRegistry()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # No .env: what counts is visible. The file comes in as init arguments; the environment wins over it.
        return env_settings, init_settings


def load(config: Path | None) -> Settings:
    """Read the file, if any, and the environment. Errors: ConfigurationError that lists everything that is wrong."""
    problems = _unknown_variables() + _no_objects()
    document: dict[str, Any] = {}
    if config is not None:
        try:
            document = tomllib.loads(config.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError([*problems, f"--config {config}: {error}"]) from error
    try:
        settings = Settings(**document)
    except ValidationError as error:
        problems += [_problem(detail) for detail in error.errors()]
        raise ConfigurationError(problems) from error
    except ValueError as error:  # pydantic-settings cannot parse what `_no_objects` found, and names no variable
        raise ConfigurationError(problems or [str(error)]) from error
    if problems:
        raise ConfigurationError(problems)
    return settings


def _unknown_variables() -> list[str]:
    """Variables with our prefix whose section does not exist; pydantic-settings passes over them in silence."""
    sections = set(Settings.model_fields)
    return [
        f"environment variable {name}: no section [{section}]; sections are {', '.join(sorted(sections))}"
        for name in sorted(os.environ)
        if name.startswith(_PREFIX) and (section := name[len(_PREFIX) :].split("__")[0].lower()) not in sections
    ]


def _no_objects() -> list[str]:
    """Variables that stand for a whole table or list and are no JSON."""
    composed = {f"{_PREFIX}{'__'.join(path)}".upper(): example for path, example in _composed(Settings)}
    problems = []
    for name in sorted(os.environ):
        if example := composed.get(name.upper()):
            try:
                json.loads(os.environ[name])
            except ValueError:
                problems.append(f"environment variable {name}: must be {example}")
    return problems


def _composed(model: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keys that hold several values, and what to write there."""
    table = 'a JSON object, such as {"key": "value"}'
    for name, field in model.model_fields.items():
        kind = field.annotation
        if get_origin(kind) is dict:
            yield (name,), table
        elif get_origin(kind) is list:
            yield (name,), 'a JSON list, such as ["one", "two"]'
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            yield (name,), table
            yield from (((name, *path), example) for path, example in _composed(kind))


def _problem(detail: Any) -> str:
    path = [str(part) for part in detail["loc"]]
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "no such key"
    elif detail["type"] == REQUIRED:
        path.append(detail["ctx"]["key"])
    else:
        message += f", got {str(detail['input'])[:80]!r}"
    return f"{'.'.join(path)} (environment: {_PREFIX}{'__'.join(path).upper()}): {message}"
