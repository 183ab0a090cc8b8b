"""One side's fields -> the other side's terms. Pure: users are looked up in a directory that somebody else filled.

Rule of this file: a value that cannot be put into the other side's terms is never dropped and never guessed. The
answer is either `Translated(value)` or `Untranslated(code, reason)`, and the row's policy says what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from connectors.entity import (
    Choice,
    Fields,
    RichText,
    Scalar,
    Url,
    UserRef,
    Value,
    empty,
    members,
    normal_text,
)
from connectors.schema import FieldSchema, FieldType
from mappings.config import Direction, FieldRow, Side
from mappings.criteria import Criterion
from mappings.values import ValueTable, text_of


@dataclass(slots=True)
class Directory:
    """The users of one system that were looked up so far. A text asked for and not yet looked up is in `missing`."""

    known: dict[str, tuple[UserRef, ...]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def find(self, text: str) -> tuple[UserRef, ...]:
        key = text.casefold()
        if key not in self.known:
            self.missing.add(text)
            return ()
        return self.known[key]

    def learn(self, text: str, users: tuple[UserRef, ...]) -> None:
        self.known[text.casefold()] = users
        self.missing.discard(text)


@dataclass(frozen=True)
class Row:
    """A field row, ready to work: with both schemas, its table and its condition.

    `fields[side]` is None where the row has no field on that side; that side then is computed from the other entity.
    `fingerprint` changes when anything changes that could change a translation (DESIGN.md, rule 7).
    """

    key: str
    config: FieldRow
    fields: Mapping[Side, FieldSchema | None]
    table: ValueTable | None
    conditions: Mapping[Side, Criterion]
    fingerprint: str
    normalise: Mapping[Side, Callable[[Value], Value]] = field(default_factory=dict)

    @cached_property
    def is_set(self) -> bool:
        """Whether it has several values on both sides: then single members flow."""
        return all(schema is not None and schema.multiple for schema in self.fields.values())

    def writes(self, to: Side, *, creating: bool) -> bool:
        """Whether this row may write to `to` at a create or at an update, as far as the mapping goes."""
        schema = self.fields[to]
        if schema is None or not (schema.on_create if creating else schema.on_update):
            return False
        if self.config.sync_to(to) not in ("both", "create" if creating else "update"):
            return False
        # A row without a source (constant, template, default) flows to the only field it has.
        return self.config.direction.writes(to) or (
            self.fields[to.other] is None and self.config.direction is not Direction.NONE
        )

    def applies(self, left: Fields | None, right: Fields | None) -> bool:
        """Whether the row's `if` holds. A side that does not exist yet has no say."""
        if not self.conditions:
            return True
        entities = {Side.LEFT: left, Side.RIGHT: right}
        return all(fields is None or self._holds(side, fields) for side, fields in entities.items())

    def _holds(self, side: Side, fields: Fields) -> bool:
        return side not in self.conditions or self.conditions[side].holds(fields)

    def value(self, side: Side, own: Fields) -> Value:
        """The value of this row on `side`; for a side without a field the constant, or the template over `own`."""
        schema = self.fields[side]
        if schema is not None:
            return own.get(schema.name)
        if self.config.constant is not None:
            return _written(self.config.constant)
        if self.config.template is not None:
            return render(self.config.template, own)
        return None


@dataclass(frozen=True, slots=True)
class Translated:
    value: Value


@dataclass(frozen=True, slots=True)
class Untranslated:
    """`code`: unmapped, unknown_user, ambiguous_user, unconvertible or empty. `fatal`: the policy says fail."""

    code: str
    reason: str
    fatal: bool = False


Translation = Translated | Untranslated


def translate(row: Row, to: Side, value: Value, users: Directory) -> Translation:
    """`value` of the other side in the terms of `to`, as `to` would hold it (normalised)."""
    schema = row.fields[to]
    if schema is None:
        return Untranslated("unconvertible", f"the row has no field on the {to} side")
    if row.fields[to.other] is None:
        result = _without_source(row, to, schema, value, users)
    elif empty(value):
        result = _empty(row, to, schema, users)
    elif not (schema.multiple or isinstance(value, tuple)):
        result = _scalar(row, to, schema, value, users)
    else:
        done, left_over = translate_members(row, to, value, users)
        result = left_over[0][1] if left_over else _assemble(schema, done)
    if isinstance(result, Translated) and to in row.normalise:
        return Translated(row.normalise[to](result.value))
    return result


def translate_members(
    row: Row, to: Side, value: Value, users: Directory
) -> tuple[list[Scalar], list[tuple[Scalar, Untranslated]]]:
    """Each member by itself: those that could be translated, and those that could not, with why."""
    schema = row.fields[to]
    assert schema is not None
    done: list[Scalar] = []
    left_over: list[tuple[Scalar, Untranslated]] = []
    for member in members(value):
        told = _scalar(row, to, schema, member, users)
        if isinstance(told, Translated):
            done += [m for m in members(told.value) if m not in done]
        else:
            left_over.append((member, told))
    return done, left_over


def _written(constant: Any) -> Value:
    """A constant as a value that can be compared and kept: what kind of value it is, its field's schema says."""
    return tuple(text_of(member) for member in constant) if isinstance(constant, list) else text_of(constant)


def typed(schema: FieldSchema, raw: Any, users: Directory) -> Translation:
    """A value as written in YAML or a value table, typed by the field's schema. `""` and None are empty."""
    if isinstance(raw, list | tuple):
        done: list[Scalar] = []
        for member in raw:
            one = _typed_scalar(schema, member, users)
            if isinstance(one, Untranslated):
                return one
            done.extend(members(one.value))
        return _assemble(schema, done)
    one = _typed_scalar(schema, raw, users)
    return _assemble(schema, list(members(one.value))) if isinstance(one, Translated) else one


def render(template: str, fields: Fields) -> str:
    """`{name}` replaced by the field's text; an unknown name stays as it is, `{{` and `}}` are braces."""
    texts = {
        name: text_of(value) if not isinstance(value, tuple) else ", ".join(map(text_of, value))
        for name, value in fields.items()
    }
    out, rest = "", template.replace("{{", "\0").replace("}}", "\1")
    while "{" in rest:
        before, _, after = rest.partition("{")
        name, brace, rest = after.partition("}")
        out += before + (texts.get(name, "{" + name + "}") if brace else "{" + name)
    return (out + rest).replace("\0", "{").replace("\1", "}")


def _without_source(row: Row, to: Side, schema: FieldSchema, value: Value, users: Directory) -> Translation:
    if row.config.constant is not None:
        return typed(schema, row.config.constant, users)
    if row.config.template is not None:
        return typed(schema, value, users)
    return typed(schema, row.config.default.of(to), users)


def _empty(row: Row, to: Side, schema: FieldSchema, users: Directory) -> Translation:
    mapped = row.table.to(to, "") if row.table else None
    if mapped is not None:
        return typed(schema, mapped, users)
    match row.config.on_empty:
        case "default" if row.config.default.of(to) is not None:
            return typed(schema, row.config.default.of(to), users)
        case "hold":
            return Untranslated("empty", "the source is empty and on_empty says hold")
        case "fail":
            return Untranslated("empty", "the source is empty and on_empty says fail", fatal=True)
    return Translated(() if schema.multiple else None)


def _scalar(row: Row, to: Side, schema: FieldSchema, value: Scalar, users: Directory) -> Translation:
    mapped = row.table.find(to, value) if row.table else None
    if mapped is not None:
        result = typed(schema, mapped, users)
        return _policy(row, to, schema, value, result, users) if isinstance(result, Untranslated) else result
    if row.table is not None and not isinstance(value, UserRef):
        problem = Untranslated("unmapped", f"no row of the value table maps {text_of(value)!r}")
        return _policy(row, to, schema, value, problem, users)
    result = _convert(schema, value, users)
    return _policy(row, to, schema, value, result, users) if isinstance(result, Untranslated) else result


def _policy(
    row: Row, to: Side, schema: FieldSchema, value: Scalar, problem: Untranslated, users: Directory
) -> Translation:
    """What the row's policy makes of a value that has no counterpart (SPEC B4)."""
    by_user = problem.code in ("unknown_user", "ambiguous_user")
    policy = row.config.on_unknown_user if by_user else row.config.on_unmapped
    if policy == "default" and row.config.default.of(to) is not None:
        return typed(schema, row.config.default.of(to), users)
    if policy == "keep" and not by_user:
        return _convert(schema, value, users, closed=False)
    if policy == "fail":
        return Untranslated(problem.code, problem.reason, fatal=True)
    return problem


def _convert(schema: FieldSchema, value: Scalar, users: Directory, *, closed: bool = True) -> Translation:
    """A value without a table, by the types of both ends (SPEC B8). `closed`: only listed choices will do."""
    if isinstance(value, UserRef):
        return _convert_user(schema, value, users)
    if schema.type is FieldType.CHOICE and closed and schema.choices is not None:
        name = text_of(value)
        found = next((choice for choice in schema.choices if choice.name == name), None)
        if found is None:
            return Untranslated("unmapped", f"{schema.name!r} has no value {name!r} there, and no value table maps it")
        return Translated(found)
    if schema.type is FieldType.RICH_TEXT and isinstance(value, RichText):
        return Translated(RichText(value.canonical))
    if schema.type is FieldType.DATE and isinstance(value, datetime):
        return Translated(value.astimezone(UTC).date())
    if schema.type is FieldType.DATETIME and isinstance(value, date) and not isinstance(value, datetime):
        return Translated(datetime.combine(value, time(), UTC))
    return _typed_scalar(schema, value, users)


def _convert_user(schema: FieldSchema, user: UserRef, users: Directory) -> Translation:
    """By email alone: display names and user names are never guessed (SPEC B5)."""
    if schema.type is not FieldType.USER:
        return _typed_scalar(schema, user.email or user.username or user.name or user.id, users)
    if not user.email:
        return Untranslated("unknown_user", f"the email of {user} is not visible, and no value table maps this user")
    return _user(user.email, users)


def _user(text: str, users: Directory) -> Translation:
    found = users.find(text)
    if len(found) == 1:
        return Translated(found[0])
    if found:
        return Untranslated("ambiguous_user", f"{len(found)} users there are called {text!r}")
    return Untranslated("unknown_user", f"no user there is {text!r}")


def _typed_scalar(schema: FieldSchema, raw: Any, users: Directory) -> Translation:
    if raw is None or (isinstance(raw, str) and raw == ""):
        return Translated(None)
    text = raw if isinstance(raw, str) else text_of(raw)
    match schema.type:
        case FieldType.USER:
            return _user(text, users)
        case FieldType.CHOICE:
            listed = next((c for c in schema.choices or () if c.name == text), None)
            return Translated(listed or Choice(text))
        case FieldType.RICH_TEXT:
            return Translated(RichText(normal_text(text)))
        case FieldType.TEXT:
            return Translated(text)
        case FieldType.URL:
            return Translated(raw if isinstance(raw, Url) else Url(text))
        case FieldType.NUMBER | FieldType.BOOLEAN | FieldType.DATE | FieldType.DATETIME:
            return _parsed(schema, raw, text)
    return Untranslated("unconvertible", f"{schema.name!r} is a {schema.type} field: values cannot be mapped to it")


def _parsed(schema: FieldSchema, raw: Any, text: str) -> Translation:
    try:
        return Translated(_PARSERS[schema.type](raw, text.strip()))
    except (ValueError, KeyError, InvalidOperation):
        return Untranslated("unconvertible", f"{text!r} is no {schema.type} value for {schema.name!r}")


def _number(_: Any, text: str) -> int | Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(text)
    return int(number) if number == number.to_integral_value() else number


def _boolean(raw: Any, text: str) -> bool:
    if isinstance(raw, bool):
        return raw
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]


def _date(raw: Any, text: str) -> date:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw
    return date.fromisoformat(text[:10])


def _datetime(raw: Any, text: str) -> datetime:
    moment = raw if isinstance(raw, datetime) else datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_PARSERS: dict[FieldType, Callable[[Any, str], Scalar]] = {
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
}


def _assemble(schema: FieldSchema, done: list[Scalar]) -> Translation:
    if schema.multiple:
        return Translated(tuple(done))
    if len(done) > 1:
        names = ", ".join(text_of(member) for member in done)
        return Untranslated("unconvertible", f"{schema.name!r} takes one value, the source has several: {names}")
    return Translated(done[0] if done else None)
