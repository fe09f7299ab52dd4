"""The Avro schemas: the current ones, and every version that was ever written."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import fastavro

from streamer.resources import folder

Schema = dict[str, Any]


@cache
def current(name: str) -> Schema:
    """The schema in schemas/<name>.avsc as it is written today, logical types included."""
    text = (folder("schemas") / f"{name}.avsc").read_text(encoding="utf-8")
    schema: Schema = json.loads(text)
    return schema


@cache
def history(name: str) -> tuple[Schema, ...]:
    """All versions of a schema, oldest first; the last one is the current one."""
    files = sorted((folder("schemas") / "history").glob(f"{name}.*.avsc"), key=lambda path: int(path.suffixes[-2][1:]))
    return tuple(json.loads(path.read_text(encoding="utf-8")) for path in files)


def fingerprint(schema: Schema) -> bytes:
    """CRC-64-AVRO of the parsing canonical form, little-endian, 8 bytes (Avro 1.12, "Single-object encoding")."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


def plain(node: Any) -> Any:
    """The schema without logical types, so that times stay milliseconds instead of becoming datetime objects."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items() if key != "logicalType"}
    if isinstance(node, list):
        return [plain(item) for item in node]
    return node
