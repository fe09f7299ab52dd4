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

Names = dict[str, Any]


class Unreadable(Exception):
    """No record of this schema can be read as ours; says why, naming the fields."""


def writer(text: str, references: Sequence[str], ours: schemas.Schema) -> Any:
    """The schema in `text`, parsed for fastavro, without logical types. `references` are the schemas that it names.

    Errors: Unreadable.
    """
    names: Names = {}
    try:
        written = json.loads(text)
        for reference in references:
            fastavro.parse_schema(schemas.plain(json.loads(reference)), named_schemas=names)
        parsed = fastavro.parse_schema(schemas.plain(written), named_schemas=names)
    except Exception as error:  # json's, fastavro's, and RecursionError
        raise Unreadable(f"is no valid Avro schema ({type(error).__name__}: {str(error)[:200]})") from error
    problems = list(_problems(parsed, names, ours)) or list(_times(written, ours))
    if problems:
        raise Unreadable("; ".join(problems))
    return parsed


def _problems(parsed: Any, names: Names, ours: schemas.Schema) -> Iterator[str]:
    if not isinstance(parsed, dict) or parsed.get("type") != "record":
        yield f"is no record, but {_kind(parsed)}"
    elif _simple(parsed["name"]) != ours["name"]:
        yield f"is of {parsed['name']}, not of {ours['name']}"
    elif _recursive(parsed, names, (), set()):
        # Read by nested calls in C: a record deep enough ends the process with a segmentation fault.
        yield f"contains itself, which {ours['name']} does not"
    else:
        fields = {field["name"]: field["type"] for field in parsed["fields"]}
        for field in ours["fields"]:
            if field["name"] not in fields:
                if "default" not in field:
                    yield f"has no field {field['name']}"
            elif not _readable(fields[field["name"]], field["type"], names):
                yield f"{field['name']} is {_kind(fields[field['name']])}, not {_kind(field['type'])}"


def _readable(written: Any, read: Any, names: Names) -> bool:
    """Whether some value of `written` can be read: of a union a branch is enough, for the others may never occur."""
    written = names.get(written, written) if isinstance(written, str) else written
    if isinstance(written, list):
        return any(_readable(branch, read, names) for branch in written)
    if isinstance(read, list):
        return any(_readable(written, branch, names) for branch in read)
    one, other = _type(written), _type(read)
    if other in ("array", "map"):
        inner = "items" if other == "array" else "values"
        return one == other and _readable(written[inner], read[inner], names)
    if other != "record":
        return other in _PROMOTED.get(one, (one,))
    if one != "record" or _simple(written["name"]) != _simple(read["name"]):
        return False
    fields = {field["name"]: field["type"] for field in written["fields"]}
    return all(
        _readable(fields[field["name"]], field["type"], names) if field["name"] in fields else "default" in field
        for field in read["fields"]
    )


def _recursive(node: Any, names: Names, within: tuple[str, ...], done: set[str]) -> bool:
    """Whether a record contains itself; `done` are those that do not, which are not gone through again."""
    if isinstance(node, str):
        node = names.get(node, node)
    if isinstance(node, list):
        return any(_recursive(branch, names, within, done) for branch in node)
    if not isinstance(node, dict) or node.get("name") in done:
        return False
    if node["type"] != "record":
        return any(_recursive(node[inner], names, within, done) for inner in ("items", "values") if inner in node)
    name = node["name"]
    if name in within or any(_recursive(field["type"], names, (*within, name), done) for field in node["fields"]):
        return True
    done.add(name)
    return False


def _times(written: Mapping[str, Any], ours: schemas.Schema) -> Iterator[str]:
    """Fields that mean another unit of time: as numbers they would be read, and be wrong a thousandfold."""
    fields = {field["name"]: field["type"] for field in written["fields"]}
    for field in ours["fields"]:
        meant = _logical(field["type"])
        for said in _logical(fields.get(field["name"])) if meant else ():
            if said not in meant:
                yield f"{field['name']} is in {said}, not in {', '.join(meant)}"


def _logical(kind: Any) -> list[str]:
    branches = kind if isinstance(kind, list) else [kind]
    return [branch["logicalType"] for branch in branches if isinstance(branch, dict) and "logicalType" in branch]


def _type(node: Any) -> str:
    return str(node["type"]) if isinstance(node, dict) else str(node)


def _kind(node: Any) -> str:
    """The type in a few words."""
    if isinstance(node, list):
        return " or ".join(_kind(branch) for branch in node)
    return str(node.get("name", node["type"])) if isinstance(node, dict) else str(node)


def _simple(name: str) -> str:
    """A name without its namespace, which resolution does not look at."""
    return name.rpartition(".")[2]
