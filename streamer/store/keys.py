"""What a key may be, the same for every store."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from streamer.errors import StoreRejected

_MAX_KEY = 1024
_MAX_PART = 255
_PLAIN = re.compile(r"[0-9a-f]{64}/[0-9a-z-]{1,100}\.[0-9a-z]{1,8}").fullmatch
"""What nearly all keys look like, told quickly: an identity's folder and a name in it."""
_CHARACTER = r"[^/\x00-\x1f\x7f\ufffe\uffff]"
"""S3 lists keys as XML, and XML has no such characters."""
LEFTOVER: Final = ".new-"
"""How the last part of a key begins that a crash may leave of `replace` on a disk: the new object, not in its place."""
_SHAPE = re.compile(rf"(?!\.\.?(?:/|\Z)){_CHARACTER}+(?:/(?!\.\.?(?:/|\Z)){_CHARACTER}+)*")


def check(key: str) -> str:
    """The key itself. Errors: StoreRejected unless it is relative, without empty, `.` and `..` parts and control
    characters, and short enough.

    The lengths, in bytes of UTF-8, are the smallest of S3 (a key) and Linux (a part).
    """
    if _PLAIN(key):
        return key
    if not _SHAPE.fullmatch(key):
        raise StoreRejected(
            f"key {key[:80]!r}: must be relative, without empty, '.' or '..' parts and control characters"
        )
    if len(key) > _MAX_PART or not key.isascii():
        try:
            encoded = key.encode()
        except UnicodeEncodeError as error:
            raise StoreRejected(f"key {key[:80]!r}: {error}") from error
        if len(encoded) > _MAX_KEY or any(len(part) > _MAX_PART for part in encoded.split(b"/")):
            raise StoreRejected(f"key {key[:80]!r}: longer than {_MAX_KEY} bytes, or a part of it than {_MAX_PART}")
    return key


def quoted(key: str) -> str:
    """The key as a part of a URI. Errors: as `check`."""
    return key if _PLAIN(key) else quote(check(key))


def check_prefix(prefix: str) -> str:
    """The prefix itself. Errors: StoreRejected unless it is a key followed by `/`, or empty."""
    if prefix and not prefix.endswith("/"):
        raise StoreRejected(f"prefix {prefix[:80]!r}: must end with '/'")
    if prefix:
        check(prefix[:-1])
    return prefix
