from __future__ import annotations

import base64
import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import MetadataMismatch
from streamer.kafka.base import Commit
from streamer.worker.metadata import LIMIT, Finished, MetadataCodec
from tests.worker.builders import STORE_ID, TOPIC_ID, codec

_WINDOW = 20_000 + 500
"""What may be open: worker.window, and a poll that went beyond it."""


def state(base: int, finished: set[int]) -> Finished:
    """`finished`: relative to base."""
    top = max(finished) + 1 if finished else 0
    return Finished(base, tuple(base + i for i in range(top) if i not in finished), base + top)


def body(commit: Commit) -> str:
    return commit.metadata.rsplit("|", 1)[1]


@given(st.integers(0, 2**62), st.sets(st.integers(0, 400)))
def test_what_is_written_is_read_back(base: int, finished: set[int]) -> None:
    wanted = state(base, finished)
    commit = codec().encode(*wanted)
    assert commit.offset == base
    assert codec().decode(commit) == wanted


@given(st.integers(0, 2**62), st.integers(1, 2**40), st.integers(1, 2**40))
def test_a_gap_of_any_length_costs_a_few_characters(base: int, unread: int, gap: int) -> None:
    """An aborted transaction can be enormous; what lies in it counts as finished."""
    unfinished = (base, base + 1 + gap)
    commit = codec().encode(base, unfinished, base + gap + 2 + unread)
    assert len(body(commit)) < 40
    assert codec().decode(commit) == Finished(base, unfinished, base + gap + 2 + unread)


@given(st.sets(st.integers(0, 400), min_size=1))
def test_the_shorter_form_is_chosen(finished: set[int]) -> None:
    wanted = state(0, finished)
    bits = bytearray(wanted.top // 8 + 1)
    for i in finished:
        bits[i // 8] |= 1 << i % 8
    lengths, at = [0], False  # runs, from unfinished on
    for i in range(wanted.top):
        if (i in finished) != at:
            lengths.append(0)
            at = not at
        lengths[-1] += 1
    by_runs = len(base64.b64encode(bytes(sum(1 if n < 128 else 2 for n in lengths))))
    by_bits = len(base64.b64encode(bytes((wanted.top + 7) // 8)))
    assert len(body(codec().encode(*wanted))) == 1 + min(by_runs, by_bits)


def test_nothing_finished_is_the_prefix_alone() -> None:
    commit = codec().encode(42, (), 42)
    assert commit.metadata == f"1|{STORE_ID}|{TOPIC_ID.hex}|42|r"
    assert codec().decode(commit) == Finished(42, (), 42)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.9, None])
def test_a_full_window_fits_in_its_worst_pattern(share: float | None) -> None:
    rng = random.Random(1)
    finished = {i for i in range(_WINDOW) if (i % 2 if share is None else rng.random() < share)} | {_WINDOW - 1}
    wanted = state(10**17, finished)
    commit = codec().encode(*wanted)
    assert len(commit.metadata) <= LIMIT
    assert codec().decode(commit) == wanted


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ("", "--accept-duplicates"),
        ("consumer-lag-exporter", "--accept-duplicates"),
        ("0|x|y|7|r", "--accept-duplicates"),
        ("x" * 5000, "--accept-duplicates"),
        ("2|whatever comes later", "update this worker"),
        (f"1|another|{TOPIC_ID.hex}|7|r", "set store.url to theirs"),
    ],
)
def test_a_mismatch_names_its_remedy(metadata: str, says: str) -> None:
    with pytest.raises(MetadataMismatch, match=says) as caught:
        codec().decode(Commit(7, metadata))
    assert len(str(caught.value)) < 400


UNREADABLE = {
    "another topic": f"1|{STORE_ID}|{uuid.UUID(int=8).hex}|7|r",
    "another base": f"1|{STORE_ID}|{TOPIC_ID.hex}|8|r",
    "no base": f"1|{STORE_ID}|{TOPIC_ID.hex}",
    "too many fields": f"1|{STORE_ID}|{TOPIC_ID.hex}|7|r|",
    "no form": f"1|{STORE_ID}|{TOPIC_ID.hex}|7|",
    "unknown form": f"1|{STORE_ID}|{TOPIC_ID.hex}|7|zAAAA",
    "no base64": f"1|{STORE_ID}|{TOPIC_ID.hex}|7|r????",
    "not ASCII": f"1|{STORE_ID}|{TOPIC_ID.hex}|7|r您好",
    "a cut run length": f"1|{STORE_ID}|{TOPIC_ID.hex}|7|r{base64.b64encode(bytes([200])).decode()}",
    "an endless run length": f"1|{STORE_ID}|{TOPIC_ID.hex}|7|r{base64.b64encode(bytes([255] * 30)).decode()}",
    "a billion unfinished": f"1|{STORE_ID}|{TOPIC_ID.hex}|7|r{base64.b64encode(bytes([255, 255, 255, 127])).decode()}",
}


@pytest.mark.parametrize("metadata", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_unreadable_stops_the_worker(metadata: str) -> None:
    with pytest.raises(MetadataMismatch, match="7"):
        codec().decode(Commit(7, metadata))


@pytest.mark.parametrize("what", ["another topic", "no base", "no base64"])
def test_what_is_unreadable_names_its_remedy(what: str) -> None:
    with pytest.raises(MetadataMismatch, match=r"--accept-duplicates|streamer topics"):
        codec().decode(Commit(7, UNREADABLE[what]))


@given(st.sets(st.integers(0, 400), min_size=30), st.integers(1, 3))
def test_cut_base64_is_told(finished: set[int], cut: int) -> None:
    commit = codec().encode(*state(7, finished))
    with pytest.raises(MetadataMismatch):
        codec().decode(Commit(7, commit.metadata[:-cut]))


@given(st.text(max_size=60))
def test_garbage_never_passes(garbage: str) -> None:
    with pytest.raises(MetadataMismatch):
        MetadataCodec(STORE_ID, TOPIC_ID).decode(Commit(7, garbage))
    with pytest.raises(MetadataMismatch):
        codec().decode(Commit(7, f"1|{STORE_ID}|{TOPIC_ID.hex}|8|{garbage}"))
