"""The store interface: bytes under keys. What decides something is written once (`put`).

All implementations pass tests/store/contract.py and are thread safe. Keys are relative, with `/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """One object as a listing shows it."""

    key: str
    size: int
    """Bytes."""
    modified: float
    """Epoch seconds at which it was last put or replaced, by the store's own clock."""


class Store(Protocol):
    """Errors of every call: StoreUnavailable (try again later), StoreRejected (this object will never be taken)."""

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        """Write if absent; when it returns, the object survives a power cut. False where the key existed.

        `download_name` is what a browser is to call it, where the store itself hands it out (`link`). Of many
        puts of one key one alone returns True, and no reader ever sees a part of an object. Over a network an answer
        may be lost: then True says that these bytes stand, whoever put them. Who must know whose do, puts bytes that
        nobody else would, and reads them back.
        """
        ...

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        """Write whatever stood there, and let its age restart; durable as with `put`. No reader ever sees a part, or
        nothing where something stood. Of two writers at once, one is the last."""
        ...

    def delete(self, key: str) -> None:
        """Take it away, durably; nothing happens where there is none."""
        ...

    def get(self, key: str) -> bytes | None:
        """The whole object, None where there is none."""
        ...

    def absent(self, key: str) -> bool:
        """True where there surely is no such object, told at once; False: ask with `get`. For those who must not wait:
        a local disk is trusted with a look at a folder, a network never."""
        ...

    def size(self, key: str) -> int | None:
        """Bytes of the object, None where there is none."""
        ...

    def read(self, key: str, start: int, stop: int) -> bytes:
        """Bytes `start` up to `stop` (exclusive, within its size). Errors: StoreRejected where there is no object."""
        ...

    def link(self, key: str) -> str | None:
        """A URL that anyone may read the object from for a while; None where the store gives none out."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Keys below `prefix`, which ends with `/`, in no order."""
        ...

    def entries(self, prefix: str) -> Iterator[Entry]:
        """The objects below `prefix`, as for `list`; those of a folder without folders follow each other. One that
        comes, goes or is replaced meanwhile may be among them or not. Holds no more than a page of a listing."""
        ...

    def uri(self, key: str) -> str:
        """Where others find it: file:///…, s3://…, memory:///…"""
        ...

    def close(self) -> None: ...
