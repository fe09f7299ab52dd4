from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.bridge import paths


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_link_leads_back_to_its_id(id_: str) -> None:
    raw = paths.audio("a/b&c", id_).partition("?")[0].encode()
    assert raw.startswith(paths.JOBS.encode())
    part, audio = paths.job(raw[len(paths.JOBS) :])
    assert audio
    assert paths.decoded(part) == id_


@pytest.mark.parametrize(
    ("raw", "id_", "audio"),
    [
        (b"a", "a", False),
        (b"a/audio", "a", True),
        (b"a/b/audio", "a/b", True),
        (b"a%2Faudio", "a/audio", False),
        (b"a%2faudio/audio", "a/audio", True),
        (b"audio", "audio", False),
        (b"100%25", "100%", False),
        (b"a%2525", "a%25", False),
        ("订单".encode(), "订单", False),
        (b"", "", False),
    ],
)
def test_ids_in_paths(raw: bytes, id_: str, audio: bool) -> None:
    part, wants_audio = paths.job(raw)
    assert (paths.decoded(part), wants_audio) == (id_, audio)


@pytest.mark.parametrize(
    ("raw", "why"), [(b"100%", "%25"), (b"a%zz", "position 1"), (b"%ff", "UTF-8"), (b"\xff", "UTF-8")]
)
def test_what_stands_for_no_text(raw: bytes, why: str) -> None:
    with pytest.raises(paths.BadPath, match=why):
        paths.decoded(raw)
