"""The store on S3 and what speaks its protocol, through obstore.

An object is put by one conditional PUT (If-None-Match: *): of many writers the server lets one win. `replace` is
unconditional, in parts where the object is large.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import AlreadyExistsError

from streamer.clock import Clock
from streamer.errors import ConfigurationError, StoreError, StoreRejected, StoreUnavailable
from streamer.formats import media_type
from streamer.store.base import Entry
from streamer.store.disposition import attachment, with_extension
from streamer.store.keys import check, check_prefix, quoted
from streamer.store.s3_errors import CLIENT_ERRORS, answer, at_opening, converted
from streamer.store.s3_place import Place, client

if TYPE_CHECKING:
    from obstore import Attributes

_PART: Final = 8 << 20
_LARGEST_WHOLE: Final = 32 << 20
"""Bytes; a larger object goes in parts, where it may."""
_PARTS_AT_ONCE: Final = 4
_UPLOAD: Final = 6
"""Times `timeout` after which no further part is begun."""
REQUESTS: Final = 32
"""Times `timeout` that a worker's longest job of audio and verdict takes at most; a request that is repeated counts
1.2. Audio in parts: upload, last parts, completion (8.4). The verdict: conditional PUT and comparison, reading back
(3.2). Then either the audio is gone: look, audio in parts, reading the verdict, look (12); or it is a redrive's and
what it follows was deleted: reading that, and of two generations and two files each listed, read, overwritten,
deleted, and looked at again (19.2)."""

_PROBE: Final = "store/probe"
_PROBED: Final = b"streamer wrote this to see whether it may; leave it here.\n"


class S3Store:
    """Objects below a prefix of a bucket. Thread safe. Needs the rights to put, get and list; `delete` that to delete.
    In a bucket that keeps versions, what was replaced or deleted stays as one, for as long as its own rules say.

    A request takes `where.timeout` at most. Reads are repeated while they fail quickly. A put is one request, and one
    more where its outcome is unknown: what stands is read and compared. True then says that these bytes stand and no
    other writer was seen; one that put the same bytes at that moment may hear True as well. StoreUnavailable says that
    nothing stands, or that nobody can tell: put it again.

    Errors of opening: ConfigurationError for wrong credentials, rights, region or bucket, and a server that overwrites;
    StoreUnavailable where nothing answers.
    """

    def __init__(self, where: Place, clock: Clock, link_seconds: int) -> None:
        self._where, self._clock = where, clock
        self._link = timedelta(seconds=link_seconds)
        # A repeated create would meet its own first write, and be taken for another's.
        self._writer = client(where, {"max_retries": 0})
        backoff = timedelta(milliseconds=50)
        self._reader = client(
            where,
            {
                "max_retries": 2,
                "retry_timeout": where.timeout / 5,
                "backoff": {"init_backoff": backoff, "max_backoff": 4 * backoff, "base": 2},
            },
        )
        self._probe()

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        name, attributes = self._name(key), _attributes(key, download_name)
        try:
            obstore.put(self._writer, name, data, mode="create", use_multipart=False, attributes=attributes)
        except CLIENT_ERRORS as error:
            found, failure = answer(error), self._converted(key, error)
            if isinstance(error, AlreadyExistsError) and found.status != 409:
                return False
            if isinstance(failure, StoreUnavailable) and found.unclear:
                return self._settled(key, data, failure)
            raise failure from error
        return True

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        name, attributes = self._name(key), _attributes(key, download_name)
        try:
            if len(data) <= _LARGEST_WHOLE:
                obstore.put(self._reader, name, data, use_multipart=False, attributes=attributes)
                return
            until = self._clock.monotonic() + _UPLOAD * self._where.timeout.total_seconds()
            obstore.put(
                self._reader,
                name,
                self._parts(key, data, until),
                use_multipart=True,
                chunk_size=_PART,
                max_concurrency=_PARTS_AT_ONCE,
                attributes=attributes,
            )
        except CLIENT_ERRORS as error:
            raise self._converted(key, error) from error

    def delete(self, key: str) -> None:
        name = self._name(key)
        try:
            obstore.delete(self._reader, name)
        except CLIENT_ERRORS as error:
            found = answer(error)
            if found.code == "AccessDenied":
                remedy = "the credentials may not delete in it: grant s3:DeleteObject on its objects"
                raise StoreUnavailable(f"{self._where.uri}{key[:300]}: {found.said}; {remedy}") from error
            if not found.absent:
                raise self._converted(key, error) from error

    def get(self, key: str) -> bytes | None:
        name = self._name(key)
        try:
            return obstore.get(self._reader, name).bytes().to_bytes()
        except CLIENT_ERRORS as error:
            if answer(error).absent:
                return None
            raise self._converted(key, error) from error

    def absent(self, key: str) -> bool:
        """False: only a request over the network could tell."""
        check(key)
        return False

    def size(self, key: str) -> int | None:
        name = self._name(key)
        try:
            return obstore.head(self._reader, name)["size"]
        except CLIENT_ERRORS as error:
            if answer(error).absent:
                return None
            raise self._converted(key, error) from error

    def read(self, key: str, start: int, stop: int) -> bytes:
        name = self._name(key)
        try:
            if stop > start:
                return obstore.get_range(self._reader, name, start=start, end=stop).to_bytes()
            obstore.head(self._reader, name)  # S3 has no empty range
        except CLIENT_ERRORS as error:
            if answer(error).absent:
                raise StoreRejected(f"{self.uri(key)}: there is no such object") from error
            raise self._converted(key, error) from error
        return b""

    def link(self, key: str) -> str | None:
        """A presigned URL; S3 refuses it later than the credentials last that signed it."""
        name = self._name(key)
        try:
            return obstore.sign(self._reader, "GET", name, self._link)
        except CLIENT_ERRORS as error:
            raise self._converted(key, error) from error

    def list(self, prefix: str) -> Iterator[str]:
        return (entry.key for entry in self._listed(check_prefix(prefix)))

    def entries(self, prefix: str) -> Iterator[Entry]:
        return self._listed(check_prefix(prefix))

    def uri(self, key: str) -> str:
        return f"{self._where.uri}{quoted(key)}"

    def close(self) -> None:
        """Nothing to give back: connections end with the process."""

    def _name(self, key: str) -> str:
        return f"{self._where.prefix}{check(key)}"

    def _listed(self, prefix: str) -> Iterator[Entry]:
        own = len(self._where.prefix)
        try:
            for page in obstore.list(self._reader, prefix=f"{self._where.prefix}{prefix}" or None):
                for found in page:
                    if (key := found["path"][own:]) != _PROBE:
                        yield Entry(key, found["size"], found["last_modified"].timestamp())
        except CLIENT_ERRORS as error:
            raise self._converted(prefix, error) from error

    def _settled(self, key: str, data: bytes, failure: StoreUnavailable) -> bool:
        """After an unknown outcome: whether these bytes stand. Errors: `failure` where none do or nobody can say."""
        name = self._name(key)
        try:
            # The length is in the head of the answer; another object's body is never read.
            standing = obstore.get(self._writer, name)
            return standing.meta["size"] == len(data) and standing.bytes().to_bytes() == data
        except CLIENT_ERRORS:
            raise failure from None

    def _parts(self, key: str, data: bytes, until: float) -> Iterator[memoryview]:
        whole = memoryview(data)
        for start in range(0, len(data), _PART):
            if self._clock.monotonic() > until:
                raise StoreUnavailable(
                    f"{self.uri(key)}: {start} of {len(data)} bytes sent within {_UPLOAD} times store.timeout; raise it"
                )
            yield whole[start : start + _PART]

    def _converted(self, key: str, error: Exception) -> StoreError:
        return converted(f"{self._where.uri}{key[:300]}", error)

    def _probe(self) -> None:
        """Read, write and list once, so that a store that cannot be used is found out at the start.

        The object stays, for a right to delete is not asked for. The second write must be refused: some servers know
        no conditional writes, and overwrite. Its bytes differ, lest an unknown outcome be taken for success.
        """
        action = "read"
        try:
            self.get(_PROBE)
            action = "write"
            self.put(_PROBE, _PROBED)
            overwritten = self.put(_PROBE, _PROBED.upper())
            action = "list"
            next(self._listed("store/"), None)
        except StoreError as error:
            raise at_opening(action, str(self._where), error) from error
        if overwritten:
            raise ConfigurationError(
                [f"store.url: {self._where} ignores If-None-Match and overwrites objects: use a server that does not"]
            )


def _attributes(key: str, download_name: str | None) -> Attributes:
    extension = key.rpartition("/")[2].rpartition(".")[2]
    attributes: Attributes = {"Content-Type": "application/json" if extension == "json" else media_type(extension)}
    if download_name:
        attributes["Content-Disposition"] = attachment(with_extension(download_name, extension))
    return attributes
