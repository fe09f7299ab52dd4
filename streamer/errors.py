"""Every error that streamer raises on purpose, as one tree; the leaves name what to do about it.

StreamerError
├── ConfigurationError         wrong use or configuration; lists all that is wrong       exit 2
├── StopWorker                 a human must look; the supervisor never restarts it       exit 2
│   ├── NotInitialised         the group has no start: run `streamer topics`
│   ├── CommitsLost            the group had a start and lost it: --accept-duplicates
│   ├── RetentionPassed        the log begins after the commit: --accept-loss
│   ├── MetadataMismatch       the commit was written for another store or topic, or by a newer version
│   ├── StoreMismatch          the store was not made by `streamer topics`, or is another one
│   ├── DeadLetterLimit        most of the last records failed: a bad deploy, not bad records
│   └── BrokerRefuses          the broker will never take this: a right that is missing, a limit that is too low
├── BrokerError
│   ├── BrokerUnreachable      nothing answered in time
│   ├── Retriable              nothing happened yet: call again
│   ├── AbortRequired          this transaction must be aborted; after that nothing was committed
│   │   └── MetadataTooLarge   the broker's offset.metadata.max.bytes is smaller than ours
│   ├── OutcomeUnknown         the transaction may or may not be committed: rewind to committed()
│   ├── Fenced                 another producer took this transactional.id: leave             exit 3
│   └── FatalClient            the client is unusable: leave and be restarted                 exit 1
├── RegistryError
│   ├── RegistryUnavailable    nothing answered in time: try again later
│   └── SchemaNotLoaded        a record names a schema that is not here yet: load it, then decode again
├── StoreError
│   ├── StoreUnavailable       the store is down: back off, drop nothing
│   └── StoreRejected          this object will never be taken: fail its record
├── RequestFailed              this record ends on tts.failed; carries the code
├── EngineError                the engine cannot start or broke as a whole
│   └── CheckpointError        a file of the model's folder is missing, cut or not what it should be     exit 2
├── FetchError                 a file of the model could not be fetched; says what else can be done
├── VoiceUnusable              a prompt's sound or text that no voice can be cloned from; says why
└── EmbeddedError              the embedded broker cannot be had or started, and why
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_NEVER_RESTART = 2
EXIT_FENCED = 3


class StreamerError(Exception):
    """Base of the tree. `exit_code` is what a process that dies of it returns."""

    exit_code = EXIT_FAILED


class ConfigurationError(StreamerError):
    """All that is wrong with the use or the configuration, one line each in `problems`."""

    exit_code = EXIT_NEVER_RESTART

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class StopWorker(StreamerError):
    """Going on would break the promise; a person decides."""

    exit_code = EXIT_NEVER_RESTART


class NotInitialised(StopWorker):
    pass


class CommitsLost(StopWorker):
    pass


class RetentionPassed(StopWorker):
    pass


class MetadataMismatch(StopWorker):
    pass


class StoreMismatch(StopWorker):
    pass


class DeadLetterLimit(StopWorker):
    pass


class BrokerRefuses(StopWorker):
    pass


class BrokerError(StreamerError):
    """What the broker or its client said."""


class BrokerUnreachable(BrokerError):
    pass


class Retriable(BrokerError):
    pass


class AbortRequired(BrokerError):
    pass


class MetadataTooLarge(AbortRequired):
    pass


class OutcomeUnknown(BrokerError):
    pass


class Fenced(BrokerError):
    exit_code = EXIT_FENCED


class FatalClient(BrokerError):
    pass


class RegistryError(StreamerError):
    """What the Schema Registry said."""


class RegistryUnavailable(RegistryError):
    pass


class SchemaNotLoaded(RegistryError):
    """`schema_id` is the registry's number."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(f"schema {schema_id} was not asked of the registry yet")
        self.schema_id = schema_id


class StoreError(StreamerError):
    """What the object store said."""


class StoreUnavailable(StoreError):
    pass


class StoreRejected(StoreError):
    pass


class RequestFailed(StreamerError):
    """A record that ends on tts.failed with `code` (one of `streamer.records.FailureCode`)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class EngineError(StreamerError):
    pass


class EngineGone(EngineError):
    """An open engine cannot speak anything any more: whoever runs it is to end, and may be started again."""


class CheckpointError(EngineError):
    """Names the file, the tensor where it is one, and the remedy."""

    exit_code = EXIT_NEVER_RESTART


class FetchError(StreamerError):
    """Names the file or the server, the reason and the remedy. Nothing incomplete stands under a final name."""


class VoiceUnusable(StreamerError):
    """The message names what is wrong with the sound or its text, and what would do."""


class EmbeddedError(StreamerError):
    pass
