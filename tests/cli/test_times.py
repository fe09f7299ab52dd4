from __future__ import annotations

from datetime import datetime

import pytest

from streamer.cli.times import milliseconds

NOW = 1_795_000_000.0


@pytest.mark.parametrize(("value", "seconds"), [("0s", 0), ("90s", 90), ("15m", 900), ("2h", 7_200), ("10d", 864_000)])
def test_how_long_ago(value: str, seconds: int) -> None:
    assert milliseconds(value, NOW) == (NOW - seconds) * 1000


@pytest.mark.parametrize(
    "value", ["2026-11-18T11:06:40+00:00", "2026-11-18T11:06:40Z", "2026-11-18T19:06:40+08:00", "20261118T110640Z"]
)
def test_a_date(value: str) -> None:
    assert milliseconds(value, 0.0) == NOW * 1000


def test_a_date_without_a_zone_is_local() -> None:
    assert milliseconds("2026-11-18", 0.0) == datetime(2026, 11, 18).astimezone().timestamp() * 1000


@pytest.mark.parametrize("value", ["", "yesterday", "15", "m", "-1h", "1.5h", "1w", "2026-13-01", "²h"])
def test_anything_else_is_refused_with_what_may_be_given(value: str) -> None:
    with pytest.raises(ValueError, match=r"neither 30s, 15m, 2h or 1d nor a date such as 2026"):
        milliseconds(value, NOW)
