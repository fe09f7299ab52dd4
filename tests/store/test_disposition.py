from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.store.disposition import attachment, inline, with_extension

_TOKEN = re.compile(r"attachment; filename=\"[^\"\\]*\"(; filename\*=UTF-8''[A-Za-z0-9%._~-]*)?").fullmatch


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order 1.wav", 'attachment; filename="order 1.wav"'),
        ("语音.wav", "attachment; filename=\"__.wav\"; filename*=UTF-8''%E8%AF%AD%E9%9F%B3.wav"),
        ('a"b.wav', "attachment; filename=\"a_b.wav\"; filename*=UTF-8''a%22b.wav"),
        ("../../etc/passwd", 'attachment; filename=".._.._etc_passwd"'),
        ("C:\\x", "attachment; filename=\"C__x\"; filename*=UTF-8''C%3A_x"),
        ("a\r\nSet-Cookie: b", "attachment; filename=\"a__Set-Cookie_ b\"; filename*=UTF-8''a__Set-Cookie%3A%20b"),
        ("\ud800.wav", 'attachment; filename="_.wav"'),
    ],
)
def test_what_a_browser_is_told(name: str, value: str) -> None:
    assert attachment(name) == value
    assert inline(name) == value.replace("attachment", "inline", 1)


@given(st.text(st.characters(), max_size=400))
def test_no_name_ends_the_header_or_grows_past_an_objects_limit(name: str) -> None:
    value = attachment(name)
    assert _TOKEN(value), value
    assert value.isascii()
    assert len(value) < 8192


def test_the_whole_name_is_read_back() -> None:
    encoded = attachment("订单 1; x.wav").partition("filename*=UTF-8''")[2]
    assert unquote(encoded, errors="strict") == "订单 1; x.wav"


@pytest.mark.parametrize(
    ("name", "extension", "whole"),
    [("a", "wav", "a.wav"), ("a.wav", "wav", "a.wav"), ("a.WAV", "wav", "a.WAV"), ("a.b", "mp3", "a.b.mp3")],
)
def test_an_extension_is_added_where_there_is_none(name: str, extension: str, whole: str) -> None:
    assert with_extension(name, extension) == whole
