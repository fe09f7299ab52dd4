"""English numerals, as they are read in the United States: no "and" after hundreds, hyphens below a hundred."""

from __future__ import annotations

from decimal import Decimal

from streamer.render.decimals import parts

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS = ("", " thousand", " million", " billion", " trillion", " quadrillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(number: int) -> str:
    """-10^16 < number < 10^16."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number == 0:
        return "zero"
    words: list[str] = []
    rest, index = number, 0
    while rest:
        rest, group = divmod(rest, 1_000)
        if group:
            words.insert(0, _group(group) + _GROUPS[index])
        index += 1
    return " ".join(words)


def ordinal(number: int) -> str:
    """0 < number < 10^16: the last word takes the ordinal's form."""
    text = cardinal(number)
    start = max(text.rfind(" "), text.rfind("-")) + 1
    word = text[start:]
    if word in _ORDINALS:
        return text[:start] + _ORDINALS[word]
    return text[:-1] + "ieth" if text.endswith("y") else f"{text}th"


def decimal(number: Decimal) -> str:
    """Decimal places digit by digit, as many as are written."""
    negative, before, after = parts(number)
    text = ("minus " if negative else "") + cardinal(before)
    return f"{text} point {spelled(after)}" if after else text


def spelled(digits: str) -> str:
    """Digit by digit."""
    return " ".join(_SMALL[int(digit)] for digit in digits)


def year(number: int) -> str:
    """1 to 9999: by pairs (nineteen oh five, twenty twenty-six), but two thousand five, one thousand."""
    century, rest = divmod(number, 100)
    if number < 1_000 or (century % 10 == 0 and rest < 10):
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {two_digits(rest)}"


def two_digits(number: int) -> str:
    """1 to 99 after something: five is oh five."""
    return f"oh {_SMALL[number]}" if number < 10 else _group(number)


def _group(number: int) -> str:
    """1 to 999."""
    hundreds, rest = divmod(number, 100)
    words = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if rest:
        tens, ones = divmod(rest, 10)
        words.append(_SMALL[rest] if rest < 20 else _TENS[tens] + (f"-{_SMALL[ones]}" if ones else ""))
    return " ".join(words)
