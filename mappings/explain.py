"""What pydantic finds wrong with a document, in words: where, what, and the nearest allowed word.

Rule of this file: one finding per place, and never a value that might be a secret.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mappings.document import Document
from mappings.findings import Where, nearest, path_text
from mappings.shape import keys

_TYPES = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "tuple_type": "a list",
    "list_type": "a list",
    "datetime_parsing": "a date or time (2026-11-21T08:00Z)",
    "datetime_from_date_parsing": "a date or time (2026-11-21T08:00Z)",
    "datetime_type": "a date or time (2026-11-21T08:00Z)",
}


def explain(
    document: Document, error: ValidationError, data: Any, at: Where = (), *, skip: Collection[Where] = ()
) -> None:
    """Add a finding for everything in `error`, which is about `data`, the part of the document at the place `at`.

    Places in `skip` hold stand-ins: what is wrong with those is nobody's mistake.
    """
    places: dict[Where, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        where = _place(document, details, data, at)
        if where is not None and where not in skip:
            places.setdefault(where, []).append(details)
    for where, found in places.items():
        _explain_place(document, where, found)


def _place(document: Document, details: ErrorDetails, data: Any, at: Where) -> Where | None:
    """The place that an error is about. None: of a union, it speaks of an alternative that was not meant."""
    where = at
    parts = details["loc"]
    for i, part in enumerate(parts):
        below = _below(data, part)
        if below is not None:
            where, data = (*where, part), below[0]
        elif details["type"] == "missing" and i == len(parts) - 1:
            where = (*where, part)
        elif isinstance(data, dict) and where in document.models and part != document.models[where].__name__:
            return None
    # A list is reported as too short when its members were refused: those have their own findings.
    return None if details["type"] == "too_short" and data else where


def _below(data: Any, part: str | int) -> tuple[Any] | None:
    if isinstance(data, dict):
        return (data[part],) if part in data else None
    return (data[part],) if isinstance(data, list) and isinstance(part, int) and part < len(data) else None


def _explain_place(document: Document, where: Where, found: list[ErrorDetails]) -> None:
    first = found[0]
    words = [word for details in found for word in _words(details)]
    match first["type"]:
        case "extra_forbidden":
            document.add(where, "unknown_key", f"unknown key {str(where[-1])!r}", _where_it_belongs(document, where))
        case "missing":
            model = document.models.get(where[:-1])
            field = keys(model).get(str(where[-1])) if model else None
            meaning = (field.description if field else None) or ""
            document.add(where, "missing_key", f"{str(where[-1])!r} is missing", f"Add it. {meaning}".strip())
        case "too_short":
            document.add(where, "bad_value", "this list is empty", "Add at least one.")
        case _ if words:
            _explain_word(document, where, first, found, words)
        case _ if first["type"] in _TYPES:
            document.add(where, "wrong_type", f"this must be {_or(found)}", f"Write {_or(found)}.")
        case _:
            problem = first["msg"].removeprefix("Value error, ")
            document.add(where, "bad_value", problem)


def _where_it_belongs(document: Document, where: Where) -> str:
    """The nearest allowed key here; for a key that a part above takes, that part."""
    key = str(where[-1])
    for end in range(len(where) - 2, -1, -1):
        above = document.models.get(where[:end])
        if above is not None and key in keys(above):
            return f"It belongs further up, to {path_text(where[:end]) or 'the top of the file'}."
    model = document.models.get(where[:-1])
    return nearest(key, keys(model) if model else ())


def _explain_word(
    document: Document, where: Where, first: ErrorDetails, found: list[ErrorDetails], words: list[str]
) -> None:
    given = first["input"]
    others = [_TYPES[details["type"]] for details in found if details["type"] in _TYPES]
    if isinstance(given, str):
        remedy = nearest(given, words)
        remedy += f" Or write {' or '.join(dict.fromkeys(others))}." if others else ""
        document.add(where, "unknown_word", f"{given!r} is none of the allowed words", remedy)
    else:
        document.add(where, "wrong_type", "this must be one of the allowed words", f"Allowed: {', '.join(words)}.")


def _words(details: ErrorDetails) -> Iterable[str]:
    """The allowed words of a literal or an enumeration: pydantic tells them as `'a', 'b' or 'c'`."""
    if details["type"] not in ("literal_error", "enum"):
        return ()
    expected = str(details.get("ctx", {}).get("expected", ""))
    return [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]


def _or(found: list[ErrorDetails]) -> str:
    return " or ".join(dict.fromkeys(_TYPES[details["type"]] for details in found if details["type"] in _TYPES))
