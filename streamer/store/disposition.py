"""What a browser is told to call a file."""

from __future__ import annotations

import re
from urllib.parse import quote

_NEVER = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff/\\]")
"""No part of a name: what ends a header, separates folders, or turns the text around it."""
_NOT_PLAIN = re.compile(r"[^\w!#$&+.^`|~ -]", re.ASCII)
_LONGEST = 200


def with_extension(name: str, extension: str) -> str:
    """The sender's name; the extension (no dot) added where it is not there."""
    return name if name.lower().endswith(f".{extension.lower()}") else f"{name}.{extension}"


def attachment(name: str) -> str:
    """The value of Content-Disposition for a file to be saved. ASCII, whatever the name: RFC 6266, with the name as
    RFC 8187 encodes it."""
    return f"attachment; {_filename(name)}"


def inline(name: str) -> str:
    """The same for a file to be played, and called so where it is saved."""
    return f"inline; {_filename(name)}"


def _filename(name: str) -> str:
    stem, dot, extension = _NEVER.sub("_", name).rpartition(".")
    # Cut before the extension: S3 takes 8 KiB of headers, and a character may need twelve bytes.
    exact = f"{stem[:_LONGEST]}{dot}{extension[:_LONGEST]}"
    plain = _NOT_PLAIN.sub("_", exact)
    encoded = "" if plain == exact else f"; filename*=UTF-8''{quote(exact, safe='')}"
    return f'filename="{plain}"{encoded}'
