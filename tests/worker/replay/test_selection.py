from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.identity import Identity
from streamer.worker.replay.run import Mode
from streamer.worker.replay.selection import Selection, bound, read

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("shanghai")
@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T12:00:00Z",
        "2026-11-22T13:00+01:00",
        "2026-11-22T20:00",  # local time
        "20261122T120000Z",
    ],
)
def test_times_are_told_in_utc(text: str) -> None:
    assert bound(text) == NOON
    assert Selection(begin=bound(text)).text == "--from 2026-11-22T12:00:00Z"


def test_digits_are_an_offset() -> None:
    assert bound("20261122") == 20_261_122


@pytest.mark.parametrize("text", ["", "yesterday", "-1", "1.5", "٣", "2026-13-01"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        bound(text)


bounds = st.one_of(st.none(), st.integers(0, 10**12), st.datetimes(timezones=st.just(UTC)))
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
selections = st.builds(
    Selection,
    everything=st.booleans(),
    begin=bounds,
    end=bounds,
    partitions=st.lists(st.integers(0, 50), unique=True).map(lambda numbers: tuple(sorted(numbers))),
    identity=st.one_of(st.none(), st.builds(Identity, names, names)),
)


@given(selections, st.sampled_from(Mode))
def test_what_was_asked_is_read_back(selection: Selection, mode: Mode) -> None:
    assert read(selection.text) == selection
    assert selection.differences(read(selection.text)) == []
    name = selection.slug(mode)
    assert name.startswith(mode)
    assert len(name) <= 100
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


@pytest.mark.parametrize(
    ("selection", "name"),
    [
        (Selection(everything=True), "verify-all"),
        (Selection(begin=3, end=9, partitions=(2,)), "verify-from-3-to-9-partition-2"),
        (Selection(begin=NOON), "verify-from-2026-11-22T120000Z"),
    ],
)
def test_a_run_is_named_after_what_is_asked(selection: Selection, name: str) -> None:
    assert selection.slug(Mode.VERIFY) == name


def test_ids_that_look_alike_in_a_name_have_runs_of_their_own() -> None:
    one, other = (Selection(identity=Identity("shop", id)) for id in ("a/b", "a b"))
    assert one.slug(Mode.PROMOTE) != other.slug(Mode.PROMOTE)
    assert one.slug(Mode.PROMOTE).startswith("promote-id-a-b-source-shop-")


def test_each_option_that_differs_is_named() -> None:
    one = Selection(begin=3, end=9, partitions=(0, 1))
    assert one.differences(Selection(begin=3, end=9, partitions=(0, 1))) == []
    assert one.differences(Selection(begin=4, partitions=(0,))) == ["--from", "--to", "--partition"]
    assert one.differences(Selection(everything=True)) == ["--from", "--to", "--partition", "--all"]
