"""What every operator of a condition means: which operands it takes, and when it holds for a value.

Rule of this file: values are compared as what they are (numbers, moments, users, texts), never as what they look like
in one system. Every `not_` operator is the exact opposite of its twin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.entity import RichText, Scalar, UserRef, Value, empty, members
from mappings.config import seconds
from mappings.values import boolean_of, number_of, text_of, texts_of


@dataclass(frozen=True, slots=True)
class Relative:
    """`now`, or so much before or after it."""

    offset: timedelta
    text: str


_RELATIVE = re.compile(r"now(?:\s*([+-])\s*(\d+(?:\.\d+)?\s*(?:s|m|min|h|d)))?")
_Plain = str | bool | int | Decimal | None
_Moment = datetime | date


def operand_at(operand: object, now: datetime | None) -> object:
    if not isinstance(operand, Relative):
        return operand
    if now is None:
        raise ValueError(f"the condition speaks of {operand.text!r}, and nobody says when now is")
    return now.astimezone(UTC) + operand.offset


def _plain(operand: object) -> object:
    """A value as written, as far as it can be compared with anything."""
    if isinstance(operand, float):
        return Decimal(str(operand))
    if operand is None or isinstance(operand, str | bool | int | Decimal):
        return operand
    raise ValueError("takes one value")


def _several(operand: object) -> object:
    if not isinstance(operand, list | tuple):
        raise ValueError("takes a list of values")
    return tuple(_plain(one) for one in operand)


def _one_or_several(operand: object) -> object:
    return _several(operand) if isinstance(operand, list | tuple) else _plain(operand)


def _text(operand: object) -> object:
    if operand is None or isinstance(operand, list | tuple | Mapping):
        raise ValueError("takes a text")
    return text_of(operand if not isinstance(operand, float) else Decimal(str(operand)))  # type: ignore[arg-type]


def _pattern(operand: object) -> object:
    try:
        return re.compile(str(_text(operand)))
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from None


def _truth(operand: object) -> object:
    truth = operand if isinstance(operand, bool) else boolean_of(str(operand))
    if truth is None:
        raise ValueError("takes true or false")
    return truth


def _quantity(operand: object) -> object:
    """A number, a moment, or a moment relative to now."""
    if isinstance(operand, str):
        relative = _RELATIVE.fullmatch(operand.strip())
        if relative:
            length = float(str(seconds(relative[2] or "0s"))) * (-1 if relative[1] == "-" else 1)
            return Relative(timedelta(seconds=length), operand.strip())
        found = number_of(operand)
        quantity = found if found is not None else _moment_of(operand)
        if quantity is not None:
            return quantity
    elif isinstance(operand, int | float | Decimal) and not isinstance(operand, bool):
        return Decimal(str(operand))
    raise ValueError("takes a number, a date or a time")


def _moment_of(text: str) -> _Moment | None:
    """An ISO date, or an ISO time (UTC where it names no zone); None for anything else."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def shown(operand: object) -> str:
    if isinstance(operand, tuple):
        return f"[{', '.join(shown(one) for one in operand)}]"
    if isinstance(operand, re.Pattern):
        return f"/{operand.pattern}/"
    if isinstance(operand, Relative):
        return operand.text
    if isinstance(operand, datetime | date):
        return operand.isoformat()
    return f'"{operand}"' if isinstance(operand, str) else "empty" if operand is None else text_of(operand)  # type: ignore[arg-type]


def _is(value: Scalar, operand: _Plain) -> bool:
    """One value against what a person wrote."""
    if empty(value) or empty(operand):
        return empty(value) and empty(operand)
    if isinstance(value, bool):
        return boolean_of(text_of(operand)) is value
    if isinstance(value, int | Decimal):
        return number_of(text_of(operand)) == value
    if isinstance(value, datetime | date):
        moment = _moment_of(text_of(operand))
        return moment is not None and _compare(value, moment) == 0
    text = text_of(operand)
    return text in texts_of(value) or (
        isinstance(value, UserRef) and "@" in text and text.casefold() in texts_of(value)
    )


def _equals(value: Value, operand: Any) -> bool:
    wanted = operand if isinstance(operand, tuple) else (operand,) if not empty(operand) else ()
    held = members(value)
    return all(any(_is(h, w) for h in held) for w in wanted) and all(any(_is(h, w) for w in wanted) for h in held)


def _in(value: Value, operand: Any) -> bool:
    return any(_is(one, wanted) for one in members(value) or (None,) for wanted in operand)


def _contains(value: Value, operand: Any) -> bool:
    if isinstance(value, tuple):
        return any(_is(member, operand) for member in value)
    return any(operand in text for text in _texts(value))


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(text for member in members(value) for text in texts_of(member))


def _quantity_of(value: Scalar) -> Decimal | _Moment | None:
    """What a value is for comparing: numbers in texts and choices are numbers, anything else has no order."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, datetime | date):
        return value
    if isinstance(value, UserRef):
        return None
    text = text_of(value)
    number = number_of(text)
    return number if number is not None else _moment_of(text) if isinstance(value, str | RichText) else None


def _compare(a: Decimal | _Moment, b: Decimal | _Moment) -> int | None:
    """-1, 0, 1; None where they have no common order. With a date alone on one side, days are compared."""
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        return (a > b) - (a < b) if isinstance(a, Decimal) and isinstance(b, Decimal) else None
    if isinstance(a, datetime) and isinstance(b, datetime):
        return (a > b) - (a < b)
    day, other = _day(a), _day(b)
    return (day > other) - (day < other)


def _day(moment: _Moment) -> date:
    return moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment


def _ordered(accepts: frozenset[int]) -> Callable[[Value, Any], bool]:
    def judge(value: Value, operand: Any) -> bool:
        quantities = (_quantity_of(member) for member in members(value))
        return any(quantity is not None and _compare(quantity, operand) in accepts for quantity in quantities)

    return judge


def _opposite(judge: Callable[[Value, Any], bool]) -> Callable[[Value, Any], bool]:
    return lambda value, operand: not judge(value, operand)


@dataclass(frozen=True, slots=True)
class Operator:
    """`prepare` turns what was written into the operand (ValueError: why not); `judge` answers."""

    prepare: Callable[[object], object]
    judge: Callable[[Value, Any], bool]
    remedy: str


_ONE = "Write one value, or in: […] for several."
_LIST = "Write a list: [a, b]."
_TEXT = "Write one text."
_ORDER = "Write a number, 2026-11-21, 2026-11-21T08:00Z, now or now - 7d."

OPERATORS: dict[str, Operator] = {
    "equals": Operator(_one_or_several, _equals, _ONE),
    "not_equals": Operator(_one_or_several, _opposite(_equals), _ONE),
    "in": Operator(_several, _in, _LIST),
    "not_in": Operator(_several, _opposite(_in), _LIST),
    "contains": Operator(_text, _contains, _TEXT),
    "not_contains": Operator(_text, _opposite(_contains), _TEXT),
    "starts_with": Operator(_text, lambda v, o: any(t.startswith(o) for t in _texts(v)), _TEXT),
    "ends_with": Operator(_text, lambda v, o: any(t.endswith(o) for t in _texts(v)), _TEXT),
    "matches": Operator(_pattern, lambda v, o: any(o.search(t) for t in _texts(v)), "Write a regular expression."),
    "greater_than": Operator(_quantity, _ordered(frozenset({1})), _ORDER),
    "less_than": Operator(_quantity, _ordered(frozenset({-1})), _ORDER),
    "at_least": Operator(_quantity, _ordered(frozenset({0, 1})), _ORDER),
    "at_most": Operator(_quantity, _ordered(frozenset({-1, 0})), _ORDER),
    "empty": Operator(_truth, lambda v, o: (not members(v)) is o, "Write true or false."),
}
