"""The offset metadata string: which records above the committed offset are finished already.

    <version>|<store id>|<topic id>|<base>|r<run lengths>        or  …|b<bitmap>

base is the committed offset, the lowest unfinished record. Run lengths are varints (LEB128) in base64, alternating
unfinished and finished from base on; the bitmap, in base64, has bit i (least significant first) set where base + i is
finished. The shorter one is written. The broker's limit is
offset.metadata.max.bytes, 4,096, and it refuses that many (seen with 4.2.0).
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamer.errors import MetadataMismatch
from streamer.kafka.base import Commit

VERSION = 1
LIMIT = 4_095
_MOST_UNFINISHED = 1_000_000
_ACCEPT = "if its results may be repeated, start with --accept-duplicates to read the partition from its beginning"


class Finished(NamedTuple):
    """What stands above a committed offset: everything in [base, top) but `unfinished` is finished."""

    base: int
    unfinished: tuple[int, ...]
    top: int


def store_named(commit: Commit) -> str | None:
    """The id of the store whose workers made the commit; None where its metadata is not of this version."""
    fields = commit.metadata.split("|")
    return fields[1] if fields[0] == str(VERSION) and len(fields) == 5 else None


class MetadataCodec:
    """Writes and reads the metadata of one topic's commits, for workers on one store."""

    def __init__(self, store_id: str, topic_id: uuid.UUID, remedy: str = _ACCEPT) -> None:
        """`remedy`: what a person can do about metadata that is lost."""
        self._remedy = remedy
        self._prefix = f"{VERSION}|{store_id}|{topic_id.hex}|"
        self._store_id, self._topic_id = store_id, topic_id.hex

    def encode(self, base: int, unfinished: Sequence[int], top: int) -> Commit:
        """`unfinished`: ascending, within [base, top); everything else there is finished."""
        runs = list(_runs(base, unfinished, top))
        by_runs = base64.b64encode(b"".join(map(_varint, runs)))
        by_bits = b"" if not runs or (top - base) // 8 > len(by_runs) else base64.b64encode(_bitmap(runs))
        body = f"b{by_bits.decode()}" if by_bits and len(by_bits) < len(by_runs) else f"r{by_runs.decode()}"
        return Commit(base, f"{self._prefix}{base}|{body}")

    def decode(self, commit: Commit) -> Finished:
        """Errors: MetadataMismatch, which says what is wrong and what to do."""
        fields = commit.metadata.split("|")
        if fields[0] != str(VERSION):
            newer = re.fullmatch(r"[1-9][0-9]{0,5}", fields[0]) is not None
            why = f"has version {fields[0]}, newer than {VERSION}: update this worker" if newer else "is not streamer's"
            raise MetadataMismatch(
                f"the metadata {commit.metadata[:60]!r} of offset {commit.offset} {why}; {self._remedy}"
            )
        if len(fields) != 5:
            raise MetadataMismatch(
                f"unreadable metadata {commit.metadata[:60]!r} at offset {commit.offset}; {self._remedy}"
            )
        _, store_id, topic_id, base, body = fields
        if store_id != self._store_id:
            raise MetadataMismatch(
                f"offset {commit.offset} was committed by workers on store {store_id}, this one is on "
                f"{self._store_id}; set store.url to theirs"
            )
        if topic_id != self._topic_id or base != str(commit.offset):
            raise MetadataMismatch(
                f"offset {commit.offset} was committed for offset {base} of topic {topic_id}, this is "
                f"{self._topic_id}: the topic was deleted and made again, or the offset was changed by hand; "
                f"{self._remedy}"
            )
        try:
            return self._finished(commit.offset, body)
        except (ValueError, binascii.Error) as error:
            raise MetadataMismatch(
                f"unreadable metadata at offset {commit.offset} ({error}); {self._remedy}"
            ) from error

    @staticmethod
    def _finished(base: int, body: str) -> Finished:
        data = base64.b64decode(body[1:], validate=True)
        if body[:1] == "r":
            unfinished, top = _from_runs(base, data)
        elif body[:1] == "b":
            bits = [base + index for index in range(len(data) * 8) if data[index >> 3] >> (index & 7) & 1]
            top = bits[-1] + 1 if bits else base
            finished = set(bits)
            unfinished = [offset for offset in range(base, top) if offset not in finished]
        else:
            raise ValueError(f"unknown form {body[:1]!r}")
        return Finished(base, tuple(unfinished), top)


def _runs(base: int, unfinished: Sequence[int], top: int) -> Iterator[int]:
    """Lengths of the runs from base to top: unfinished, finished, unfinished, finished, …"""
    at, index, count = base, 0, len(unfinished)
    while at < top:
        start = at
        while index < count and unfinished[index] == at:
            index, at = index + 1, at + 1
        yield at - start
        end = unfinished[index] if index < count else top
        yield end - at
        at = end


def _bitmap(runs: Sequence[int]) -> bytes:
    bits, at = 0, 0
    for number, length in enumerate(runs):
        if number % 2:
            bits |= ((1 << length) - 1) << at
        at += length
    return bits.to_bytes((at + 7) // 8, "little")


def _from_runs(base: int, data: bytes) -> tuple[list[int], int]:
    unfinished: list[int] = []
    at = base
    for number, length in enumerate(_varints(data)):
        if number % 2 == 0:
            if len(unfinished) + length > _MOST_UNFINISHED:
                raise ValueError("more unfinished records than a worker ever holds")
            unfinished.extend(range(at, at + length))
        at += length
    return unfinished, at


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varints(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise ValueError("a run length is too large")
        if not byte & 0x80:
            yield value
            value = shift = 0
    if shift:
        raise ValueError("cut in the middle of a run length")
