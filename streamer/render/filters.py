"""The filters of templates, by name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jinja2
from jinja2.runtime import Undefined

from streamer.render import codes, dates, decimals, money, names, units
from streamer.render.locale import Locale, Unspeakable
from streamer.render.sandbox import Filter


def _decimal(locale: Locale, value: object) -> Decimal:
    """A number to compare and compute with, where events send amounts as text. Errors: Unspeakable."""
    return decimals.number(value)


_FILTERS: dict[str, Callable[..., str | Decimal]] = {
    "decimal": _decimal,
    "money": money.money,
    "number": units.plain_number,
    "percent": units.percent,
    "unit": units.unit,
    "duration": units.duration,
    "ordinal": units.ordinal,
    "digits": codes.digits,
    "phone": codes.phone,
    "date": dates.day,
    "time": dates.clock,
    "datetime": dates.moment,
    "spoken": names.spoken,
    "series": names.series,
}


def filters(locale: Locale) -> dict[str, Filter]:
    """What templates of this locale may use, beside Jinja's default, first, last, length and map."""
    return {name: _speaking(name, function, locale) for name, function in _FILTERS.items()}


def _speaking(name: str, function: Callable[..., str | Decimal], locale: Locale) -> Filter:
    """The filter as Jinja calls it: its complaint names it, and a missing field is told before any other."""

    @functools.wraps(function)
    def speak(*args: Any, **kwargs: Any) -> str | Decimal:
        for value in (*args, *kwargs.values()):
            if isinstance(value, Undefined):
                str(value)  # raises its own error
        try:
            return function(locale, *args, **kwargs)
        except Unspeakable as error:
            raise jinja2.TemplateRuntimeError(f"{name}: {error}") from error

    signature = inspect.signature(function)
    speak.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return speak
