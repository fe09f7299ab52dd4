"""Paths: where things are, and what a path as it was sent says. Ids hold slashes, percent signs, any Unicode.

They are read from the path as it came (`raw_path`): decoded by the server, `a%2Fb` and `a/b` would be one.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

WEBHOOK = "/webhook/tts"
BATCH = "/webhook/tts/batch"
EVENTS = "/webhook/events/"
JOBS = "/jobs/"
_AUDIO = b"/audio"

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class BadPath(ValueError):
    """A path that stands for no text."""


def audio(source: str, id: str) -> str:
    """The link to a job's audio."""
    return f"{JOBS}{quote(id, safe='')}/audio?source={quote(source, safe='')}"


def job(raw: bytes) -> tuple[bytes, bool]:
    """What follows JOBS in a path: the id as it was sent, and whether its audio is asked for.

    Slashes within an id may come unencoded, as some proxies leave them; only an id that itself ends in /audio must not.
    """
    return (raw.removesuffix(_AUDIO), True) if raw.endswith(_AUDIO) else (raw, False)


def decoded(raw: bytes) -> str:
    """A part of a path as text. Errors: BadPath, which says why it is none."""
    if b"%" not in raw and raw.isascii():
        return raw.decode("ascii")
    if broken := _BROKEN_ESCAPE.search(raw):
        where = f"'%' at position {broken.start()}"
        raise BadPath(f"{where} is not followed by two hex digits; write a percent sign as %25")
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise BadPath(f"is not UTF-8 ({error.reason}); percent-encode UTF-8") from error
