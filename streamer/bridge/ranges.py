"""Which bytes of an object are asked for: RFC 9110, sections 13 and 14, for one strong ETag and no date."""

from __future__ import annotations

import re
from typing import NamedTuple

_RANGE = re.compile(rb"\s*(\d{0,1000})-(\d{0,1000})\s*")
_ETAG = re.compile(rb'(?:W/)?("[^"]*")')


class Range(NamedTuple):
    """Bytes `start` up to `stop`, exclusive."""

    start: int
    stop: int


class Unsatisfiable(ValueError):
    """A range that is understood and lies outside the object: 416."""


def parsed(header: bytes | None, size: int) -> Range | None:
    """The one range that is asked for, None where the whole object is to be sent.

    So it is for what is malformed, has another unit than bytes, or names several ranges, which a server may ignore
    (14.2). Errors: Unsatisfiable.
    """
    unit, equals, ranges = (header or b"").partition(b"=")
    match = _RANGE.fullmatch(ranges)
    if unit.strip().lower() != b"bytes" or not equals or match is None:
        return None
    first, last = match.groups()
    if not first:
        return _suffix(last, size)
    start, stop = int(first), int(last) + 1 if last else size
    if stop <= start and last:
        return None
    if start >= size:
        raise Unsatisfiable
    return Range(start, min(stop, size))


def _suffix(length: bytes, size: int) -> Range | None:
    if not length:
        return None
    if int(length) == 0 or size == 0:
        raise Unsatisfiable
    return Range(max(0, size - int(length)), size)


def unchanged(if_none_match: bytes | None, etag: bytes) -> bool:
    """Whether the client has this object already: 304. The comparison is the weak one (13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == b"*" or etag in _ETAG.findall(if_none_match)


def applies(if_range: bytes | None, etag: bytes) -> bool:
    """Whether a range may be sent; else the client's part is of another object (13.1.5). Strong comparison."""
    return if_range is None or if_range.strip() == etag
