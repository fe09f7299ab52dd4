"""Whether records of a foreign schema can be read as ours, found out once, before any of them (Avro 1.12, "Schema
Resolution")."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import fastavro

from streamer.wire import schemas

_PROMOTED = {
    "int": ("int", "long", "float", "double"),
    "long": ("long", "float", "double"),
    "float": ("float", "double"),
    "string": ("string", "bytes"),
    "bytes": ("bytes", "string"),
}
"""Type of the writer → what a reader may take it as."""

_MOST_TYPES = 10_000
"""Ours have some thirty."""


class Unreadable(Exception):
    """No record of this schema can be read as ours; says why, naming the fields."""


def writer(text: str, references: Sequence[str], ours: schemas.Schema) -> Any:
    """The schema in `text`, parsed for fastavro, without logical types. `references` are the schemas that it names.

    Errors: Unreadable.
    """
    names: dict[str, Any] = {}
    try:
        written = json.loads(text)
        for reference in references:
            fastavro.parse_schema(schemas.plain(json.loads(reference)), named_schemas=names)
        parsed = fastavro.parse_schema(schemas.plain(written), named_schemas=names)
    except Exception as error:  # json's, fastavro's, and RecursionError
        raise Unreadable(f"is no valid Avro schema ({type(error).__name__}: {str(error)[:200]})") from error
    if not isinstance(parsed, dict) or parsed.get("type") != "record":
        raise Unreadable(f"is no record, but {_kind(parsed)}")
    if _simple(parsed["name"]) != ours["name"]:
        raise Unreadable(f"is of {parsed['name']}, not of {ours['name']}")
    unfolded = _Unfolding(names).of(parsed, ())
    problems = list(_problems(unfolded, ours)) or list(_times(written, ours))
    if problems:
        raise Unreadable("; ".join(problems))
    return unfolded


class _Unfolding:
    """Puts definitions where names are: fastavro does not resolve a name against a union of ours.

    What contains itself is refused. It would be read by nested calls in C, and a record deep enough would end the
    process with a segmentation fault.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names, self._left = names, _MOST_TYPES

    def of(self, node: Any, within: tuple[str, ...]) -> Any:
        """Errors: Unreadable."""
        self._left -= 1
        if self._left < 0:
            raise Unreadable(f"unfolds to more than {_MOST_TYPES} types")
        if isinstance(node, str):
            node = self._names.get(node, node)
        if isinstance(node, list):
            return [self.of(branch, within) for branch in node]
        if not isinstance(node, dict):
            return node
        if node["type"] == "record":
            if node["name"] in within:
                raise Unreadable(f"contains itself ({node['name']})")
            within = (*within, node["name"])
            return node | {"fields": [field | {"type": self.of(field["type"], within)} for field in node["fields"]]}
        unfolded = node | {inner: self.of(node[inner], within) for inner in ("items", "values") if inner in node}
        if any(inner in unfolded and _takes_nothing(unfolded[inner]) for inner in ("items", "values")):
            # A few bytes could say that there are 2^62 of them, or each byte be thousands of fields.
            raise Unreadable("has an array or map of items without bytes")
        return unfolded


def _problems(written: Any, ours: schemas.Schema) -> Iterator[str]:
    fields = {field["name"]: field["type"] for field in written["fields"]}
    for field in ours["fields"]:
        if field["name"] not in fields:
            if "default" not in field:
                yield f"has no field {field['name']}"
        elif not _readable(fields[field["name"]], field["type"]):
            yield f"{field['name']} is {_kind(fields[field['name']])}, not {_kind(field['type'])}"


def _readable(written: Any, read: Any) -> bool:
    """Whether some value of `written` can be read: of a union a branch is enough, for the others may never occur."""
    if isinstance(written, list):
        return any(_readable(branch, read) for branch in written)
    if isinstance(read, list):
        return any(_readable(written, branch) for branch in read)
    one, other = _type(written), _type(read)
    if other in ("array", "map"):
        inner = "items" if other == "array" else "values"
        return one == other and _readable(written[inner], read[inner])
    if other != "record":
        return other in _PROMOTED.get(one, (one,))
    if one != "record" or _simple(written["name"]) != _simple(read["name"]):
        return False
    return not list(_problems(written, read))


def _times(written: Mapping[str, Any], ours: schemas.Schema) -> Iterator[str]:
    """Fields that mean another unit of time: as numbers they would be read, and be wrong a thousandfold."""
    fields = {field["name"]: field["type"] for field in written["fields"]}
    for field in ours["fields"]:
        meant = _logical(field["type"])
        for said in _logical(fields.get(field["name"])) if meant else ():
            if said not in meant:
                yield f"{field['name']} is in {said}, not in {', '.join(meant)}"


def _takes_nothing(node: Any) -> bool:
    """Or has a field that does."""
    if _type(node) == "record":
        return not node["fields"] or any(_takes_nothing(field["type"]) for field in node["fields"])
    return _type(node) == "null" or (_type(node) == "fixed" and not node["size"])


def _logical(kind: Any) -> list[str]:
    branches = kind if isinstance(kind, list) else [kind]
    return [branch["logicalType"] for branch in branches if isinstance(branch, dict) and "logicalType" in branch]


def _type(node: Any) -> str:
    return str(node["type"]) if isinstance(node, dict) else str(node)


def _kind(node: Any) -> str:
    """The type in a few words."""
    if isinstance(node, list):
        return " or ".join(_kind(branch) for branch in node)
    if not isinstance(node, dict):
        return str(node)
    inner = node.get("items", node.get("values"))
    return str(node.get("name", node["type"])) + (f" of {_kind(inner)}" if inner else "")


def _simple(name: str) -> str:
    """A name without its namespace, which resolution does not look at."""
    return name.rpartition(".")[2]
