"""What a filter was given, as an exact number."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

from streamer.render.locale import Unspeakable, shown

LIMIT = 10**16
"""Numbers from here on are not spoken: as amounts they are errors, as codes they are digits."""
MAX_PLACES = 20
"""Decimal places that are spoken."""
_MAX_DIGITS = 60
"""Of what is rounded before it is spoken."""

_PLAIN = re.compile(r"([+-]?)(\d{1,40}|\d{1,3}(?:,\d{3}){1,12})(\.\d{1,40})?", re.ASCII)


def number(value: object) -> Decimal:
    """A number of JSON's or of a template's, or its text ("1,234.50"), as written.

    Errors: Unspeakable for what is no number, is 10^16 or more, or has more than 60 digits.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Unspeakable(f"{shown(value)} is no number; send one")
    if isinstance(value, str):
        match = _PLAIN.fullmatch(value.strip())
        if match is None:
            raise Unspeakable(f"{shown(value)} is no number; send digits, such as 1234.50")
        value = Decimal(match[1] + match[2].replace(",", "") + (match[3] or ""))
    exact = Decimal(value)
    if not exact.is_finite() or exact.adjusted() > 15:  # 1E+400 is never written out
        raise Unspeakable(f"{shown(value)} is not below 10^16; send a smaller number")
    _, digits, exponent = exact.as_tuple()
    if isinstance(exponent, int) and (exponent < -_MAX_DIGITS or len(digits) > _MAX_DIGITS):
        raise Unspeakable(f"{shown(value)} has more than {_MAX_DIGITS} digits; round it")
    return exact


def whole(value: object) -> int:
    """A number without decimal places. Errors: Unspeakable."""
    exact = number(value)
    if exact != exact.to_integral_value():
        raise Unspeakable(f"{shown(value)} is no whole number; round it")
    return int(exact)


def rounded(exact: Decimal, places: int | None) -> Decimal:
    """To so many places, half away from zero, as money is rounded; None: as it is.

    Errors: Unspeakable for places that are none, and for more than 20 of them.
    """
    if places is None:
        if len(format(exact, "f").partition(".")[2]) > MAX_PLACES:
            raise Unspeakable(f"{shown(exact)} has more than {MAX_PLACES} decimal places; round it to fewer (places=2)")
        return exact
    if isinstance(places, bool) or not isinstance(places, int) or not 0 <= places <= MAX_PLACES:
        raise Unspeakable(f"{shown(places)} are no decimal places; give 0 to {MAX_PLACES}")
    with localcontext(Context(prec=2 * _MAX_DIGITS)):
        result = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    if abs(result) >= LIMIT:
        raise Unspeakable(f"{shown(exact)} is not below 10^16; send a smaller number")
    return result


def without_zeros(exact: Decimal) -> Decimal:
    """12.50 as 12.5, 5.0 as 5: of a measure, zeros at the end say nothing to a listener."""
    places = str(format(exact, "f")).partition(".")[2].rstrip("0")
    return rounded(exact, len(places))


def parts(exact: Decimal) -> tuple[bool, int, str]:
    """(negative, whole part, decimal places as digits); zero is never negative."""
    text = format(abs(exact), "f")
    before, _, after = text.partition(".")
    return exact < 0, int(before), after
