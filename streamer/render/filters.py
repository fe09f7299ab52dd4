"""The filters of templates, by name."""

from __future__ import annotations

from streamer.render.locale import Locale
from streamer.render.sandbox import Filter


def filters(locale: Locale) -> dict[str, Filter]:
    """What templates of this locale may use, beside Jinja's default, first, last, length and map."""
    return {}
