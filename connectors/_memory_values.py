"""What a system in memory accepts as a value, and what it makes of it. Pure: no store, no clock."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from connectors.entity import Choice, Ref, RichText, Scalar, Url, UserRef, Value, empty, members, normal_text
from connectors.schema import EntitySchema, FieldSchema, FieldType

TICKET = EntitySchema.of(
    "ticket",
    FieldSchema("title", FieldType.TEXT, "Title", required=True, max_length=255),
    FieldSchema("description", FieldType.RICH_TEXT, "Description"),
    FieldSchema("status", FieldType.CHOICE, "Status", choices=(Choice("new"), Choice("open"), Choice("closed"))),
    FieldSchema("priority", FieldType.CHOICE, "Priority", choices=(Choice("low"), Choice("normal"), Choice("high"))),
    FieldSchema("assignee", FieldType.USER, "Assignee"),
    FieldSchema("labels", FieldType.CHOICE, "Labels", multiple=True),
    FieldSchema("points", FieldType.NUMBER, "Points"),
    FieldSchema("due", FieldType.DATE, "Due"),
)
"""The entity type of a system that nobody has defined."""

_TYPES: dict[FieldType, tuple[type, ...]] = {
    FieldType.TEXT: (str,),
    FieldType.RICH_TEXT: (RichText,),
    FieldType.NUMBER: (int, Decimal),
    FieldType.BOOLEAN: (bool,),
    FieldType.DATE: (date,),
    FieldType.DATETIME: (datetime,),
    FieldType.CHOICE: (Choice,),
    FieldType.USER: (UserRef,),
    FieldType.LINK: (Ref,),
    FieldType.URL: (Url,),
    FieldType.FILE: (Url,),
}


def held(field: FieldSchema, value: Value) -> Value:
    """The value as it will be held: line ends LF, outer blanks gone, times in UTC, sets without doubles, one empty."""
    if field.multiple:
        return tuple(dict.fromkeys(_held(member) for member in members(value)))
    if empty(value) or isinstance(value, tuple):
        return None
    return _held(value)


def problem(field: FieldSchema, value: Value, users: Sequence[UserRef]) -> str | None:
    """Why the system refuses this value, in words; None where it takes it."""
    if empty(value):
        return "must not be empty" if field.required else None
    if isinstance(value, tuple) and not field.multiple:
        return "takes one value"
    problems = (_problem(field, member, users) for member in members(value))
    return next((text for text in problems if text), None)


def near(word: str, known: Iterable[str]) -> str:
    """The known words, those that look like `word` first: `"a", "b"`."""
    names = sorted(known)
    ordered = dict.fromkeys([*difflib.get_close_matches(word, names, n=3, cutoff=0.3), *names])
    return ", ".join(f'"{name}"' for name in list(ordered)[:5])


def _held(value: Scalar) -> Scalar:
    if isinstance(value, RichText):
        return replace(value, canonical=normal_text(value.canonical))
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return normal_text(value) if isinstance(value, str) else value


def _problem(field: FieldSchema, value: Scalar, users: Sequence[UserRef]) -> str | None:
    # bool is an int and datetime a date to Python, but not to a tracker.
    if type(value) not in _TYPES[field.type]:
        return f"takes {field.type.value}, not {type(value).__name__}"
    if field.choices is not None and value not in field.choices:
        return f"has no choice {value}; it has {near(str(value), (c.name for c in field.choices))}"
    if isinstance(value, UserRef) and value not in users:
        return f"knows no user {value}"
    if isinstance(value, datetime) and value.tzinfo is None:
        return "takes times with a time zone"
    if field.max_length is not None and len(str(value)) > field.max_length:
        return f"is too long: {field.max_length} characters at most"
    return None
