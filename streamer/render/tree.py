"""An event's data as a template sees it: objects and lists that know their path."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

MAX_DATA = 65_536
"""Characters of an event's data."""
MAX_DEPTH = 32
"""Objects and lists within each other."""

_DECODER = msgspec.json.Decoder(float_hook=Decimal)


class DataUnusable(Exception):
    """The message says what is wrong with the data, and what to send."""


class Fields(dict[str, Any]):
    """An object; `path` is where it stands, such as data.order."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class Items(list[Any]):
    """A list; `path` is where it stands."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


def fields_of(data: str) -> Fields:
    """The data of an event, numbers as they are written: 1.10 stays 1.10.

    Errors: DataUnusable.
    """
    if len(data) > MAX_DATA:
        raise DataUnusable(f"data has {len(data)} characters; send at most {MAX_DATA}")
    try:
        value = _DECODER.decode(data)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
        raise DataUnusable(f"data is no JSON that can be read ({str(error)[:200]}); send one JSON object") from error
    placed = _placed(value, "data", 1)
    if not isinstance(placed, Fields):
        raise DataUnusable("data is not one JSON object; send the event's fields as {…}")
    return placed


def _placed(value: Any, path: str, depth: int) -> Any:
    if not isinstance(value, dict | list):
        return value
    if depth > MAX_DEPTH:
        raise DataUnusable(f"data is nested more than {MAX_DEPTH} deep; flatten it")
    if isinstance(value, dict):
        fields = Fields(path)
        for name, field in value.items():
            fields[name] = _placed(field, f"{path}.{name}", depth + 1)
        return fields
    items = Items(path)
    items.extend(_placed(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value))
    return items
