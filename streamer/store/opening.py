"""From `store.url` to a store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamer import settings
from streamer.errors import ConfigurationError
from streamer.store.base import Store
from streamer.store.disk import DiskStore
from streamer.store.memory import MemoryStore

_REMEDY = "give file:///absolute/folder, or memory: for tests"


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


def _wrong(url: str, reason: str) -> ConfigurationError:
    return ConfigurationError([f"store.url (environment: STREAMER_STORE__URL) is {url[:200]!r}: {reason}; {_REMEDY}"])
