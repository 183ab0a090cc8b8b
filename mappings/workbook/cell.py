"""One cell: the text that a person sees in it, and what it really holds.

Rule of this file: nothing is guessed. What a number or a date in the place of a text means is for `checking` to say.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from mappings.values import format_number


class Shown(NamedTuple):
    """A cell: its text, and what it holds: text, number, date, time, boolean or nothing."""

    text: str
    holds: str


NOTHING = Shown("", "nothing")


def shown(value: object) -> Shown:
    """A cell as pandas gives it -> its text: 1 and 1.0 are "1", dates are ISO, numbers have at most 15 digits."""
    match value:
        case Shown():
            return value
        case str():
            return Shown(value, "text") if value else NOTHING
        case bool():
            return Shown("true" if value else "false", "boolean")
        case int():
            return Shown(str(value) if abs(value) < 10**15 else _fifteen(value), "number")
        case float():
            return Shown(_fifteen(value), "number") if value == value else NOTHING
        case datetime():
            only_date = value.time() == time()
            return Shown((value.date() if only_date else value).isoformat(), "date")
        case date():
            return Shown(value.isoformat(), "date")
        case time() | timedelta():
            return Shown(str(value), "time")
        case None:
            return NOTHING
    return Shown(str(value), "text")


def _fifteen(number: float) -> str:
    """As many digits as a spreadsheet keeps."""
    return format_number(Decimal(f"{number:.15g}"))
