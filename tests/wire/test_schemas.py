from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import fastavro
import pytest

from streamer.resources import folder
from streamer.wire import schemas

NAMES = ["speech_request", "speech_completed", "speech_failed", "speech_replayed"]


def records(node: Any) -> Iterator[dict[str, Any]]:
    """Every record schema within a schema."""
    if isinstance(node, dict):
        if node.get("type") == "record":
            yield node
        for value in node.values():
            yield from records(value)
    if isinstance(node, list):
        for item in node:
            yield from records(item)


def test_these_are_all_the_schemas() -> None:
    assert sorted(file.stem for file in folder("schemas").glob("*.avsc")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_record_and_every_field_is_documented(name: str) -> None:
    found = list(records(schemas.current(name)))
    assert found[0]["name"]
    for record in found:
        assert record["doc"]
        for field in record["fields"]:
            assert len(field.get("doc", "")) > 3, f"{record['name']}.{field['name']}"


@pytest.mark.parametrize("name", NAMES)
def test_the_last_version_is_the_current_one(name: str) -> None:
    assert schemas.history(name)[-1] == schemas.current(name)


@pytest.mark.parametrize("name", NAMES)
def test_versions_are_numbered_without_gaps_and_differ(name: str) -> None:
    files = list((folder("schemas") / "history").glob(f"{name}.*.avsc"))
    assert {int(file.suffixes[-2][1:]) for file in files} == set(range(1, len(files) + 1))
    versions = schemas.history(name)
    assert len({schemas.fingerprint(version) for version in versions}) == len(versions) == len(files)


@pytest.mark.parametrize("name", NAMES)
def test_a_field_of_a_later_version_has_a_default(name: str) -> None:
    versions = schemas.history(name)
    for earlier, later in pairwise(versions):
        known = {field["name"] for field in earlier["fields"]}
        assert all("default" in field for field in later["fields"] if field["name"] not in known)


@pytest.mark.parametrize("name", NAMES)
def test_optional_fields_can_be_left_out(name: str) -> None:
    for record in records(schemas.current(name)):
        for field in record["fields"]:
            if isinstance(field["type"], list) and record["name"].startswith("Speech"):
                assert field["type"][0] == "null"
                assert field.get("default", _LACKING) is None or _defines(field, record)


_LACKING = object()


def _defines(field: dict[str, Any], record: dict[str, Any]) -> bool:
    """It defines a type that another field goes by: no version can be without it."""
    defined = {f"streamer.{node['name']}" for node in field["type"] if isinstance(node, dict) and "name" in node}
    return any(name in other["type"] for name in defined for other in record["fields"])


# Written into every record in every log: they must never change.
@pytest.mark.parametrize(
    ("name", "version", "fingerprint"),
    [
        ("speech_request", 1, "2379d9bb2d043ba4"),
        ("speech_completed", 1, "97a3d281d42910a1"),
        ("speech_failed", 1, "7c388573cf5737ba"),
    ],
)
def test_fingerprints_of_the_versions(name: str, version: int, fingerprint: str) -> None:
    assert schemas.fingerprint(schemas.history(name)[version - 1]).hex() == fingerprint


def test_fingerprints_are_those_of_fastavro() -> None:
    for name in NAMES:
        canonical = fastavro.schema.to_parsing_canonical_form(schemas.current(name))
        assert schemas.fingerprint(schemas.current(name)).hex() == fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")


def test_plain_drops_logical_types_and_nothing_else() -> None:
    schema = {
        "type": "record",
        "fields": [{"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "doc": "d"}],
    }
    assert schemas.plain(schema) == {
        "type": "record",
        "fields": [{"name": "at", "type": ["null", {"type": "long"}], "doc": "d"}],
    }
    for name in NAMES:
        assert "logicalType" in str(schemas.current(name))
        assert "logicalType" not in str(schemas.plain(schemas.current(name)))
