"""What a key may be, the same for every store."""

from __future__ import annotations

import re

from streamer.errors import StoreRejected

_MAX_KEY = 1024
_MAX_PART = 255
_PLAIN = re.compile(r"[\w-]{1,100}(?:/[\w-]{1,100}(?:\.\w{1,20})?){0,3}", re.ASCII)
"""What our own keys look like, told quickly."""
_SHAPE = re.compile(r"(?!\.\.?(?:/|\Z))[^/\0]+(?:/(?!\.\.?(?:/|\Z))[^/\0]+)*", re.ASCII)


def check(key: str) -> str:
    """The key itself. Errors: StoreRejected unless it is relative, without empty, `.` or `..` parts, and short enough.

    The lengths, in bytes of UTF-8, are the smallest of S3 (a key) and Linux (a part).
    """
    if _PLAIN.fullmatch(key):
        return key
    if not _SHAPE.fullmatch(key):
        raise StoreRejected(f"key {key[:80]!r}: must be relative, without empty, '.' or '..' parts and without NUL")
    if len(key) > _MAX_PART or not key.isascii():
        try:
            encoded = key.encode()
        except UnicodeEncodeError as error:
            raise StoreRejected(f"key {key[:80]!r}: {error}") from error
        if len(encoded) > _MAX_KEY or any(len(part) > _MAX_PART for part in encoded.split(b"/")):
            raise StoreRejected(f"key {key[:80]!r}: longer than {_MAX_KEY} bytes, or a part of it than {_MAX_PART}")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself. Errors: StoreRejected unless it is a key followed by `/`, or empty."""
    if prefix and not prefix.endswith("/"):
        raise StoreRejected(f"prefix {prefix[:80]!r}: must end with '/'")
    if prefix:
        check(prefix[:-1])
    return prefix
