from __future__ import annotations

from decimal import Decimal

import pytest

from streamer.render.tree import MAX_DATA, MAX_DEPTH, DataUnusable, Fields, Items, fields_of


def test_numbers_stay_as_they_are_written() -> None:
    data = fields_of('{"a": 1.10, "b": 1, "c": 1e3, "d": "1.10", "e": true, "f": null}')
    assert (str(data["a"]), data["b"], data["c"]) == ("1.10", 1, Decimal(1000))
    assert isinstance(data["b"], int) and isinstance(data["c"], Decimal)
    assert (data["d"], data["e"], data["f"]) == ("1.10", True, None)


def test_objects_and_lists_know_where_they_stand() -> None:
    data = fields_of('{"order": {"items": [{"name": "x"}, [1]]}}')
    items = data["order"]["items"]
    assert (data.path, data["order"].path, items.path) == ("data", "data.order", "data.order.items")
    assert isinstance(items, Items) and isinstance(items[0], Fields)
    assert (items[0].path, items[1].path) == ("data.order.items[0]", "data.order.items[1]")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("[]", "is not one JSON object"),
        ("{", "is no JSON that can be read .*; send one JSON object"),
        ("", "is no JSON that can be read"),
        ('"text"', "is not one JSON object"),
        ('{"a": 1e999999999999999999999}', "is no JSON that can be read"),
        ('{"a": ' + "9" * 5_000 + "}", "is no JSON that can be read .*out of range"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "is no JSON that can be read|nested"),
        ('{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), "nested more than 32 deep; flatten it"),
        (f'{{"a": "{"x" * MAX_DATA}"}}', "characters; send at most 65536"),
    ],
)
def test_what_is_no_data_is_told(data: str, reason: str) -> None:
    with pytest.raises(DataUnusable, match=reason):
        fields_of(data)


def test_the_deepest_data() -> None:
    assert fields_of('{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH)
