"""Redmine's JSON and canonical values. Rule: pure; whatever Redmine would do to a value anyway is done here, once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from connectors.entity import (
    Choice,
    Entity,
    EntityRef,
    Fields,
    Ref,
    RichText,
    Scalar,
    Url,
    UserRef,
    Value,
    empty,
    members,
    normal_text,
)
from connectors.errors import Rejected
from connectors.richtext import from_canonical, to_canonical
from connectors.schema import EntitySchema, FieldSchema, FieldType

T = FieldType

STANDARD = (
    FieldSchema("subject", T.TEXT, "Subject", required=True, max_length=255),
    FieldSchema("description", T.RICH_TEXT, "Description"),
    FieldSchema("status", T.CHOICE, "Status"),
    FieldSchema("priority", T.CHOICE, "Priority"),
    FieldSchema("assigned_to", T.USER, "Assignee"),
    FieldSchema("category", T.CHOICE, "Category"),
    FieldSchema("fixed_version", T.CHOICE, "Target version"),
    FieldSchema("parent", T.LINK, "Parent task"),
    FieldSchema("start_date", T.DATE, "Start date"),
    FieldSchema("due_date", T.DATE, "Due date"),
    FieldSchema("done_ratio", T.NUMBER, "% Done"),
    FieldSchema("estimated_hours", T.NUMBER, "Estimated time"),
    FieldSchema("is_private", T.BOOLEAN, "Private"),
    FieldSchema("author", T.USER, "Author", on_create=False, on_update=False),
    FieldSchema("created_on", T.DATETIME, "Created", on_create=False, on_update=False),
    FieldSchema("updated_on", T.DATETIME, "Updated", on_create=False, on_update=False),
    FieldSchema("closed_on", T.DATETIME, "Closed", on_create=False, on_update=False),
)
"""The labels are those of Redmine's messages in English, by which a refusal names its field."""

PARAMETERS = {
    "status": "status_id",
    "priority": "priority_id",
    "assigned_to": "assigned_to_id",
    "category": "category_id",
    "fixed_version": "fixed_version_id",
    "parent": "parent_issue_id",
}
"""Field -> the name under which the REST API takes it, where that differs. History and trackers use these as well."""

CAN_BE_OFF = frozenset(
    {PARAMETERS[name] for name in ("assigned_to", "category", "fixed_version", "parent")}
    | {"start_date", "due_date", "estimated_hours", "done_ratio", "description"}
)
"""Standard fields that a tracker may do without, in Redmine's words."""

FORMATS = {
    "string": T.TEXT,
    "text": T.TEXT,
    "link": T.URL,
    "int": T.NUMBER,
    "float": T.NUMBER,
    "date": T.DATE,
    "bool": T.BOOLEAN,
    "list": T.CHOICE,
    "enumeration": T.CHOICE,
    "version": T.CHOICE,
    "user": T.USER,
}
"""Format of a custom field -> type. Files as custom fields are not carried."""


@dataclass(frozen=True)
class Shape:
    """One tracker in one project: its fields, and Redmine's own ids of trackers and custom fields.

    `dialect` is that of formatted texts, in the words of `connectors.richtext`.
    """

    schema: EntitySchema
    tracker_id: int
    custom: Mapping[int, str] = field(default_factory=dict)
    dialect: str = "plain"

    def parse(self, issue: Mapping[str, Any], users: Users, refs: Mapping[str, EntityRef]) -> Fields:
        """The fields of an issue. `refs`: where its parent lives."""
        raw = {name: issue.get(name) for name in self.schema.fields}
        raw |= {self.custom[c["id"]]: c.get("value") for c in issue.get("custom_fields", ()) if c["id"] in self.custom}
        if parent := raw.get("parent"):
            raw["parent"] = {**parent, "type": refs[str(parent["id"])].type}
        return {name: self.value(name, content, users) for name, content in raw.items()}

    def value(self, name: str, raw: Any, users: Users) -> Value:
        """One field's content, as the REST API tells it, as a canonical value."""
        schema = self.schema.fields[name]
        if raw is None or raw in ("", []):
            return () if schema.multiple else None
        if schema.type is T.RICH_TEXT:
            return to_canonical(str(raw), self.dialect)
        if schema.multiple:
            return tuple(_read(one, schema, users) for one in (raw if isinstance(raw, list) else [raw]))
        return _read(raw, schema, users)

    def body(self, fields: Fields, *, creating: bool) -> dict[str, Any]:
        """The fields as the REST API takes them. Raises Rejected naming every field that cannot be written."""
        body: dict[str, Any] = {}
        custom: list[dict[str, Any]] = []
        wrong: dict[str, str] = {}
        ids = {name: number for number, name in self.custom.items()}
        for name, value in fields.items():
            try:
                raw = self._written(name, value, creating=creating)
            except ValueError as error:
                wrong[name] = str(error)
                continue
            if name in ids:
                custom.append({"id": ids[name], "value": raw})
            else:
                body[PARAMETERS.get(name, name)] = raw
        if wrong:
            raise Rejected(f"Redmine cannot hold {', '.join(sorted(wrong))}: {'; '.join(wrong.values())}", fields=wrong)
        return body | ({"custom_fields": custom} if custom else {})

    def _written(self, name: str, value: Value, *, creating: bool) -> Any:
        schema = self.schema.fields.get(name)
        if schema is None:
            close = get_close_matches(name, self.schema.fields, 3)
            raise ValueError(f"there is no field {name!r}{' (near: ' + ', '.join(close) + ')' if close else ''}")
        if not (schema.on_create if creating else schema.on_update):
            raise ValueError(f"{name!r} is read only")
        raw = [
            from_canonical(one, self.dialect) if isinstance(one, RichText) else _write(one, schema)
            for one in members(value)
        ]
        if schema.multiple:
            return raw
        if len(raw) > 1:
            raise ValueError(f"{name!r} takes one value, not {len(raw)}")
        return raw[0] if raw else ""

    def refusal(self, messages: Iterable[str]) -> dict[str, str]:
        """Redmine's messages by the field that they begin with; messages about no field are left out."""
        labels = sorted(((f.label or name, name) for name, f in self.schema.fields.items()), reverse=True)
        return {
            name: message
            for message in messages
            for name in [next((name for label, name in labels if message.startswith(f"{label} ")), None)]
            if name
        }

    def users(self, issue: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
        """The users that an issue names: id, and display name where it is told."""
        for name in ("author", "assigned_to"):
            if user := issue.get(name):
                yield str(user["id"]), user.get("name")
        for custom in issue.get("custom_fields", ()):
            yield from self.users_in(self.custom.get(custom["id"], ""), custom.get("value"))

    def users_in(self, name: str, *values: Any) -> Iterator[tuple[str, str | None]]:
        """The users in the bare content of a field, as custom fields and the history tell them."""
        if name in self.schema.fields and self.schema.fields[name].type is T.USER:
            flat = (one for value in values for one in (value if isinstance(value, list) else [value]))
            yield from ((str(one), None) for one in flat if one)


Users = Callable[[str, str | None], UserRef]
"""The user with this id, with this display name where no better is known."""


def shape(
    tracker: Mapping[str, Any],
    choices: Mapping[str, Iterable[Mapping[str, Any]]],
    custom: Iterable[Mapping[str, Any]],
    dialect: str = "plain",
) -> Shape:
    """The shape of one tracker. `choices`: field -> what it may name; `custom`: as in /custom_fields.json."""
    off = CAN_BE_OFF.difference(tracker.get("enabled_standard_fields") or CAN_BE_OFF)
    fields = {
        standard.name: _with_choices(standard, choices.get(standard.name))
        for standard in STANDARD
        if PARAMETERS.get(standard.name, standard.name) not in off
    }
    names: dict[int, str] = {}
    for one in custom:
        if one["field_format"] not in FORMATS:
            continue
        name = one["name"] if one["name"] not in fields else f"cf_{one['id']}"
        names[one["id"]] = name
        fields[name] = _custom(one, name, choices)
    return Shape(EntitySchema(tracker["name"], fields), tracker["id"], names, dialect)


def _with_choices(schema: FieldSchema, things: Iterable[Mapping[str, Any]] | None) -> FieldSchema:
    if schema.type is not T.CHOICE:
        return schema
    allowed = tuple(Choice(thing["name"], str(thing["id"])) for thing in things or ())
    return FieldSchema(schema.name, schema.type, schema.label, choices=allowed)


def _custom(raw: Mapping[str, Any], name: str, choices: Mapping[str, Iterable[Mapping[str, Any]]]) -> FieldSchema:
    kind = FORMATS[raw["field_format"]]
    allowed: tuple[Choice, ...] | None = None
    if raw["field_format"] == "version":
        allowed = tuple(Choice(thing["name"], str(thing["id"])) for thing in choices.get("fixed_version", ()))
    elif kind is T.CHOICE:
        allowed = tuple(Choice(one["label"], str(one["value"])) for one in raw.get("possible_values", ()))
    return FieldSchema(
        name,
        kind,
        raw["name"],
        multiple=bool(raw.get("multiple")),
        required=bool(raw.get("is_required")) and raw.get("default_value") in (None, ""),
        choices=allowed,
        max_length=raw.get("max_length") or None,
    )


def moment(text: str) -> datetime:
    """Redmine's `2026-11-21T08:14:39Z`."""
    return datetime.fromisoformat(text).astimezone(UTC)


def version(issue: Mapping[str, Any]) -> str:
    """The modified time knows whole seconds only: a digest of the content tells two edits within one apart."""
    moving = {name: content for name, content in issue.items() if name in _VERSIONED}
    digest = hashlib.sha256(json.dumps(moving, sort_keys=True).encode()).hexdigest()[:16]
    return f"{issue['updated_on']} {digest}"


_VERSIONED = frozenset(f.name for f in STANDARD) | {"project", "tracker", "custom_fields"}


def entity(issue: Mapping[str, Any], fields: Fields, scope: str, url: str) -> Entity:
    """An issue with its fields already parsed. `url` is the system's address."""
    author = fields.get("author")
    return Entity(
        ref=EntityRef(scope, issue["tracker"]["name"], str(issue["id"])),
        fields=fields,
        version=version(issue),
        modified=moment(issue["updated_on"]),
        created=moment(issue["created_on"]),
        created_by=author if isinstance(author, UserRef) else None,
        key=f"#{issue['id']}",
        url=f"{url.rstrip('/')}/issues/{issue['id']}",
    )


def normal(value: Value) -> Value:
    """The value as it will be read after it was written."""
    if isinstance(value, tuple):
        return tuple(one for one in map(normal, value) if not empty(one))  # type: ignore[misc]
    if empty(value):
        return None
    if isinstance(value, RichText):
        return RichText(normal_text(value.canonical), value.original)
    if isinstance(value, str):
        return normal_text(value)
    return value.replace(microsecond=0) if isinstance(value, datetime) else value


def _read(raw: Any, schema: FieldSchema, users: Users) -> Scalar:
    """One member of a field's content. What only the history and custom fields tell is an id without its name."""
    if schema.type is T.CHOICE:
        if isinstance(raw, Mapping):
            return Choice(raw["name"], str(raw["id"]))
        return next((choice for choice in schema.choices or () if choice.id == str(raw)), Choice(str(raw), str(raw)))
    if schema.type is T.USER:
        return users(str(raw["id"]), raw.get("name")) if isinstance(raw, Mapping) else users(str(raw), None)
    if schema.type is T.LINK:
        told = raw if isinstance(raw, Mapping) else {"id": raw}
        return Ref(told.get("type", ""), str(told["id"]), f"#{told['id']}")
    return _READ[schema.type](raw)


def _number(raw: Any) -> Scalar:
    try:
        number = Decimal(str(raw))
    except InvalidOperation:
        return normal_text(str(raw))
    return int(number) if number == number.to_integral_value() else number


_READ: dict[FieldType, Callable[[Any], Scalar]] = {
    T.TEXT: lambda raw: normal_text(str(raw)),
    T.URL: lambda raw: Url(str(raw)),
    T.NUMBER: _number,
    T.BOOLEAN: lambda raw: raw in (True, "1", "true"),
    T.DATE: date.fromisoformat,
    T.DATETIME: lambda raw: moment(raw),
}


def _write(value: Scalar, schema: FieldSchema) -> Any:
    """One member as the REST API takes it. Raises ValueError where it cannot be."""
    if schema.type is T.CHOICE:
        return _choice_id(value, schema)
    if isinstance(value, UserRef | Ref):
        return value.id
    if schema.type is T.USER:
        raise ValueError(f"{value} is no user")
    if isinstance(value, bool):
        return value if schema.name in _STANDARD_NAMES else "01"[value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Url):
        return value.href
    return normal_text(str(value))


def _choice_id(value: Scalar, schema: FieldSchema) -> str:
    name = str(value)
    for choice in schema.choices or ():
        if choice.name == name:
            return choice.id or choice.name
    close = get_close_matches(name, [choice.name for choice in schema.choices or ()], 3)
    raise ValueError(f"{schema.label} has no value {name!r}{' (near: ' + ', '.join(close) + ')' if close else ''}")


_STANDARD_NAMES = frozenset(schema.name for schema in STANDARD)
