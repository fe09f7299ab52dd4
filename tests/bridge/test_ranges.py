from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.bridge.ranges import Range, Unsatisfiable, applies, parsed, unchanged


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        (b"bytes=0-0", Range(0, 1)),
        (b"bytes=0-99", Range(0, 100)),
        (b"bytes=10-19", Range(10, 20)),
        (b"bytes=90-", Range(90, 100)),
        (b"bytes=-10", Range(90, 100)),
        (b"bytes=-1000", Range(0, 100)),
        (b"bytes=50-1000", Range(50, 100)),
        (b"bytes=50-" + b"9" * 900, Range(50, 100)),
        (b"Bytes = 1-2 ", Range(1, 3)),
        (b"bytes=0-1,5-6", None),  # several: the whole is sent
        (b"bytes=5-4", None),
        (b"bytes=-", None),
        (b"bytes=a-b", None),
        (b"bytes=+1-2", None),
        (b"bytes 0-1", None),
        (b"bytes=", None),
        (b"", None),
        (b"seconds=0-1", None),
        (b"bytes=" + b"9" * 2_000 + b"-", None),
    ],
)
def test_what_is_asked_for(header: bytes | None, wanted: Range | None) -> None:
    assert parsed(header, 100) == wanted


@pytest.mark.parametrize(
    ("header", "size"),
    [(b"bytes=100-", 100), (b"bytes=100-200", 100), (b"bytes=-0", 100), (b"bytes=0-", 0), (b"bytes=-1", 0)],
)
def test_what_lies_outside(header: bytes, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        parsed(header, size)


@given(st.binary() | st.from_regex(rb"bytes=[0-9]{0,5}-[0-9]{0,5}", fullmatch=True), st.integers(0, 1_000))
def test_whatever_is_asked_for_lies_within(header: bytes, size: int) -> None:
    try:
        wanted = parsed(header, size)
    except Unsatisfiable:
        return
    assert wanted is None or 0 <= wanted.start < wanted.stop <= size


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, False),
        (b"*", True),
        (b'"a"', True),
        (b'W/"a"', True),
        (b'"b", "a"', True),
        (b'"b"', False),
        (b"a", False),
        (b"", False),
    ],
)
def test_if_none_match(header: bytes | None, same: bool) -> None:
    assert unchanged(header, b'"a"') == same


@pytest.mark.parametrize(
    ("header", "may"),
    [(None, True), (b'"a"', True), (b'W/"a"', False), (b'"b"', False), (b"Sat, 01 Jan 2000 00:00:00 GMT", False)],
)
def test_if_range(header: bytes | None, may: bool) -> None:
    assert applies(header, b'"a"') == may
