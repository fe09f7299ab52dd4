"""Order, tracking and telephone numbers: spelled, in groups that can be written down while listening."""

from __future__ import annotations

import re

from streamer.render import numerals_en, numerals_zh
from streamer.render.locale import Locale, Unspeakable, shown

MAX_CODE = 64
"""Characters of a code."""
_GROUP = 4

_EXTENSION = re.compile(r"\s*(?:ext\.?|extension|x|转|分机|#)\s*(\d{1,8})$", re.ASCII | re.IGNORECASE)
_PHONE = re.compile(r"\+?[\d\s().\-/]+", re.ASCII)
_MASKED = "hides digits behind asterisks; take the last ones, as in data.phone[-4:] | digits"


def digits(locale: Locale, value: object, group: int = _GROUP, yao: bool = False) -> str:
    """SF1234567890 as "S F，一二三四，五六七，八九零": each digit and letter, with pauses.

    What is neither is a pause. `group`: the most digits said in one breath, evenly divided; 0: no pauses within a run.
    `yao`: 幺 for 一. Errors: Unspeakable.
    """
    text = _code(value)
    if isinstance(group, bool) or not isinstance(group, int) or not 0 <= group <= MAX_CODE:
        raise Unspeakable(f"{shown(group)} is no size of a group; give 0 to {MAX_CODE}")
    found = []
    for run in re.findall(r"[0-9]+|[A-Za-z]+|[^\W\d_A-Za-z]+", text):
        if run.isascii() and run.isdigit():
            found += [_spelled(locale, part, yao) for part in _even(run, group)]
        else:
            found.append(_letters(run))
    if not found:
        raise Unspeakable(f"{shown(value)} holds neither digits nor letters; send a code")
    return _joined(locale, found)


def phone(locale: Locale, value: object, yao: bool = True) -> str:
    """+86 138 0013 8000 as "八六，幺三八，零零幺三，八零零零", or "plus eight six, one three eight, …".

    Chinese mobiles are grouped 3-4-4, their landlines by area code, North American and 400 numbers 3-3-4; others as
    they are written. Eleven digits from 13 to 19 are a Chinese mobile; send +1 for North America. `yao`: 幺 for 一 in
    Chinese.

    Errors: Unspeakable.
    """
    text = _code(value)
    extension = _EXTENSION.search(text)
    main = text[: extension.start()].strip() if extension else text
    if not _PHONE.fullmatch(main) or not 3 <= len(re.sub(r"\D", "", main)) <= 18:
        raise Unspeakable(f"{shown(value)} is no telephone number; send digits, such as +86 138 0013 8000")
    country, groups = _phone_groups(main)
    said = [_spelled(locale, part, yao) for part in groups]
    if country:
        plus = "" if locale.chinese else "plus "
        said.insert(0, plus + _spelled(locale, country, yao))
    if extension:
        word = "转" if locale.chinese else "extension "
        said.append(word + _spelled(locale, extension[1], yao))
    return _joined(locale, said)


def _code(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Unspeakable(f"{shown(value)} is no code; send it as a text")
    text = str(value).strip()
    if not text or len(text) > MAX_CODE:
        raise Unspeakable(f"{shown(text)} has {len(text)} characters; send 1 to {MAX_CODE}")
    if "*" in text:
        raise Unspeakable(f"{shown(text)} {_MASKED}")
    if re.search(r"(?=[^0-9])\d", text):  # digits of other scripts
        raise Unspeakable(f"{shown(text)} holds digits other than 0 to 9; send those")
    return text


def _phone_groups(text: str) -> tuple[str, list[str]]:
    """(country code, groups), the country code empty where none is told from the rest."""
    plus = text.startswith(("+", "00"))
    written = re.findall(r"[0-9]+", text.removeprefix("+") if text.startswith("+") else text[2 if plus else 0 :])
    number = "".join(written)
    for code, lengths in (("86", (10, 11, 12)), ("1", (10,))):
        if plus and number.startswith(code) and len(number) - len(code) in lengths:
            rest = number.removeprefix(code)
            return code, _american(rest) if code == "1" else _chinese(rest, "")
    if plus:
        code = written.pop(0) if len(written) > 1 and len(written[0]) <= 3 else ""
        return code, [part for each in written for part in _even(each, _GROUP)]
    if len(number) == 11 and number.startswith("1") and number[1] in "3456789":
        return "", _chinese(number, "")
    if number.startswith("0") and 10 <= len(number) <= 12:
        return "", _chinese(number.removeprefix("0"), "0")
    if len(number) == 11 and number.startswith("1"):
        return "", ["1", *_american(number[1:])]
    if len(number) == 10:
        return "", _american(number)
    return "", [part for each in written for part in _even(each, 5 if len(number) == 5 else _GROUP)]


def _american(number: str) -> list[str]:
    return [number[:3], number[3:6], number[6:]]


def _chinese(number: str, trunk: str) -> list[str]:
    """Without its country code: a mobile, or a landline whose area code is 10, 2x, or of three digits (trunk 0)."""
    number = number.removeprefix("0") if not trunk else number
    if len(number) == 11 and number.startswith("1") and number[1] in "3456789":
        return [*trunk, number[:3], number[3:7], number[7:]]
    if number.startswith(("400", "800")) and len(number) == 10 and not trunk:
        return _american(number)
    area = 2 if number.startswith(("10", "2")) else 3
    return [f"0{number[:area]}", *_even(number[area:], _GROUP, first_smaller=True)]


def _even(run: str, group: int, *, first_smaller: bool = False) -> list[str]:
    """Groups of at most `group` whose sizes differ by one at most, the larger ones first unless asked otherwise."""
    if not group or len(run) <= group:
        return [run] if run else []
    count = -(-len(run) // group)
    small, larger = divmod(len(run), count)
    sizes = [small + 1] * larger + [small] * (count - larger)
    if first_smaller:
        sizes.reverse()
    ends = [sum(sizes[: index + 1]) for index in range(count)]
    return [run[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _spelled(locale: Locale, run: str, yao: bool) -> str:
    return numerals_zh.spelled(run, yao=yao) if locale.chinese else numerals_en.spelled(run)


def _letters(run: str) -> str:
    """Latin letters one by one, in capitals; of other scripts as they are."""
    return " ".join(run.upper()) if run.isascii() else run


def _joined(locale: Locale, groups: list[str]) -> str:
    return ("，" if locale.chinese else ", ").join(groups)
