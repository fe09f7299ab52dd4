from __future__ import annotations

from decimal import Decimal
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.render.filters import filters
from streamer.render.locale import Locale
from streamer.render.sandbox import Missing

ZH, EN = filters(Locale("zh")), filters(Locale("en", "USD"))

JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.sampled_from([Decimal("1E+999999"), Decimal("-0"), Decimal("1E-999999"), Decimal(10**5_000)]),
    st.text(max_size=80),
    st.text("0123456789+-.,:TZPHMSx %€¥²１ \n", max_size=40),
    st.from_regex(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?", fullmatch=True),
    st.lists(st.text(max_size=10), max_size=5),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


@pytest.mark.parametrize("name", ZH)
@given(value=JUNK, option=st.none() | JUNK)
@settings(max_examples=150)
def test_junk_is_spoken_or_refused(name: str, value: Any, option: Any) -> None:
    for each in (ZH[name], EN[name]):
        for arguments in ((value,),) if name in {"decimal", "ordinal", "time"} else ((value,), (value, option)):
            try:
                text = each(*arguments)
            except jinja2.TemplateRuntimeError as error:
                assert str(error).startswith(f"{name}: ")
                continue
            assert text.is_finite() if name == "decimal" else text and text.isprintable()


def test_amounts_that_are_sent_as_text_can_be_compared() -> None:
    assert ZH["decimal"]("1,234.50") > ZH["decimal"](Decimal("1234.49"))


@pytest.mark.parametrize("name", ZH)
def test_a_missing_field_is_told_before_anything_else(name: str) -> None:
    with pytest.raises(jinja2.UndefinedError, match=r"data\.x is missing"):
        ZH[name](Missing(name="data.x"))
