"""From `store.url` to a store."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamer import settings
from streamer.errors import ConfigurationError
from streamer.store.base import Store
from streamer.store.disk import DiskStore
from streamer.store.memory import MemoryStore

_REMEDY = "give file:///absolute/folder, s3://bucket/prefix, or memory: for tests"


def open_store(choice: settings.Store) -> Store:
    """The store that the configuration names.

    Errors: ConfigurationError for what is wrong with [store], StoreUnavailable where the store cannot be used.
    """
    url = choice.url
    if url in ("memory:", "memory://", "memory:///"):
        return MemoryStore()
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _wrong(url, str(error)) from error
    if parts.scheme == "s3":
        return _s3(choice)
    if parts.scheme != "file":
        raise _wrong(url, f"no store for {parts.scheme or 'a URL without scheme'!r}")
    if parts.netloc:
        raise _wrong(url, f"a folder on another host, {parts.netloc!r}, cannot be opened; three slashes follow file:")
    if parts.query or parts.fragment:
        raise _wrong(url, "'?' and '#' in a folder's name are written %3F and %23")
    path = unquote(parts.path)
    if not path.startswith("/") or "\0" in path:
        raise _wrong(url, "the folder is not absolute")
    return DiskStore(Path(path))


def patience(choice: settings.Store) -> float:
    """Seconds that one job of a worker may spend on requests of a slow store which are not stuck; 0 for other stores.

    Requests to S3 end by themselves, each within its timeout, so they are no business of the watchdog's before.
    """
    if not choice.url.startswith("s3:"):
        return 0.0
    from streamer.store.s3 import REQUESTS

    return REQUESTS * choice.timeout


def _s3(choice: settings.Store) -> Store:
    # Here, for it is loaded by those alone who keep objects there.
    from streamer.clock import SystemClock
    from streamer.store.s3 import S3Store
    from streamer.store.s3_place import place

    return S3Store(place(choice, os.environ), SystemClock(), choice.link_seconds)


def _wrong(url: str, reason: str) -> ConfigurationError:
    return ConfigurationError([f"store.url (environment: STREAMER_STORE__URL) is {url[:200]!r}: {reason}; {_REMEDY}"])
