"""Roundup's values and ours.

Rule of this file: pure functions between what the REST API writes and canonical values; no requests.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from connectors._roundup_schema import Property
from connectors.entity import (
    Choice,
    Comment,
    Entity,
    EntityRef,
    Link,
    Ref,
    RichText,
    Scalar,
    UserRef,
    Value,
    members,
    normal_text,
)
from connectors.schema import FieldType

MESSAGE_FIELDS = ("content", "author", "creator", "creation", "date", "activity", "messageid", "inreplyto")
WITH_CONTENT = 3
"""The verbosity from which on Roundup shows the content of a message; labels of links come from 2 on."""

_DESCRIPTION_TAG = "<syncline.description."
_COMMENT_TAG = "<syncline.comment."
_EDIT_TAG = "<syncline.edit."
_WRITTEN_TOGETHER = timedelta(seconds=60)

Users = Mapping[str, UserRef]


@dataclass(frozen=True, slots=True)
class Message:
    """A `msg` node. `tag` is its message id, the one property of a message that nobody edits."""

    id: str
    text: str
    author: Mapping[str, str] | None
    creator: str
    creation: datetime
    date: datetime | None
    activity: datetime
    tag: str
    replies_to: str

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> Message:
        creation = moment(row["creation"])
        return cls(
            id=row["id"],
            text=row.get("content") or "",
            author=row.get("author") or row.get("creator"),
            creator=(row.get("creator") or {}).get("id", ""),
            creation=creation,
            date=moment(row["date"]) if row.get("date") else None,
            activity=moment(row["activity"]) if row.get("activity") else creation,
            tag=row.get("messageid") or "",
            replies_to=row.get("inreplyto") or "",
        )

    def comment(self, users: Users) -> Comment:
        edited = self.activity if self.replies_to.startswith(_EDIT_TAG) else None
        author = user(self.author, users) if self.author else None
        return Comment(self.id, rich(self.text), author, self.date or self.creation, edited=edited)


def description_of(row: Mapping[str, Any], messages: Iterable[Message]) -> Message | None:
    """The message that is the entity's description, if it has one.

    It is the first message, if that carries our tag (the connector wrote it as the description) or was written with
    the entity: by whoever created the entity, and not after it (Roundup's pages, its mail gateway and scripts make
    the message first, then the ticket that holds it), yet within a minute of it, so that a message moved here from
    an older ticket is none. Else it is the first message of them all that carries our tag, else written with it.
    """
    ordered = sorted(messages, key=lambda message: int(message.id))
    creator, created = (row.get("creator") or {}).get("id"), moment(row["creation"])

    def tagged(message: Message) -> bool:
        return message.tag.startswith(_DESCRIPTION_TAG)

    def together(message: Message) -> bool:
        soon = timedelta(0) <= created - message.creation <= _WRITTEN_TOGETHER
        return soon and message.creator == creator and not message.tag.startswith(_COMMENT_TAG)

    if ordered and (tagged(ordered[0]) or together(ordered[0])):
        return ordered[0]
    return next(filter(tagged, ordered), None) or next(filter(together, ordered), None)


def description_tag(marker: str | None) -> str:
    """The message id by which a description, and with it the entity created with it, is known again."""
    return f"{_DESCRIPTION_TAG}{quote(marker, safe='') if marker else uuid4().hex}@syncline>"


def comment_tag() -> str:
    return f"{_COMMENT_TAG}{uuid4().hex}@syncline>"


def edit_of(text: str, replies_to: str | None) -> dict[str, str]:
    """What to write to give a message another text.

    Roundup does not count another text as an edit: nothing would move, and nobody who polls could see it. So another
    property goes along. `inreplyto` matters only while a message is being mailed; a person's own is left alone.
    """
    free = not replies_to or replies_to.startswith(_EDIT_TAG)
    return {"content": text, **({"inreplyto": f"{_EDIT_TAG}{uuid4().hex}@syncline>"} if free else {})}


def rich(text: str) -> RichText:
    """The one place where Roundup's texts (plain) become ours."""
    return RichText(normal_text(text), text)


def plain(text: RichText | str) -> str:
    """The one place where our texts become Roundup's. It takes a blank for an empty message, and nothing for none."""
    return normal_text(text.canonical if isinstance(text, RichText) else text) or " "


def moment(text: str) -> datetime:
    """`2026-11-21.01:36:36`, always UTC in answers."""
    return datetime.strptime(text, "%Y-%m-%d.%H:%M:%S").replace(tzinfo=UTC)


def stamp(when: datetime) -> str:
    """A moment in the one form that Roundup does not read in the account's own time zone."""
    return when.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def user(raw: Mapping[str, str], users: Users) -> UserRef:
    """Retired users are in no list: of them only the name that the link shows is known."""
    return users.get(raw["id"]) or UserRef(raw["id"], username=_label(raw))


def read_value(type_: FieldType, own: Property, raw: Any, users: Users) -> Value:
    """A property's value as Roundup shows it, in canonical form."""
    if own.multiple:
        return tuple(_read_one(type_, own, one, users) for one in raw or ())
    return None if raw is None else _read_one(type_, own, raw, users)


def _read_one(type_: FieldType, own: Property, raw: Any, users: Users) -> Scalar:
    match type_:
        case FieldType.CHOICE:
            return Choice(_label(raw) or raw["id"], raw["id"])
        case FieldType.USER:
            return user(raw, users)
        case FieldType.LINK:
            return Ref(own.target, raw["id"], _label(raw))
        case FieldType.DATETIME:
            return moment(raw)
        case FieldType.NUMBER:
            return int(raw) if own.kind == "Integer" else Decimal(str(raw))
        case FieldType.BOOLEAN:
            return bool(raw)
        case _:
            return str(raw)


def write_value(type_: FieldType, own: Property, value: Value, choices: Sequence[Choice]) -> Any:
    """A canonical value as Roundup takes it; "" and [] empty a property. Raises ValueError in a person's words."""
    if own.multiple:
        members = value if isinstance(value, tuple) else () if value is None else (value,)
        return [_write_one(type_, one, choices) for one in members]
    if isinstance(value, tuple):
        raise ValueError("it takes one value, not several")
    return "" if value is None else _write_one(type_, value, choices)


def _write_one(type_: FieldType, value: Scalar, choices: Sequence[Choice]) -> str:
    match type_, value:
        case FieldType.CHOICE, Choice(name=name) | str(name):
            return _choice_id(name, choices)
        case FieldType.USER, UserRef(id=id):
            return id
        case FieldType.LINK, Ref(id=id):
            return id
        case FieldType.DATETIME, datetime():
            return stamp(value)
        case FieldType.BOOLEAN, bool():
            return "yes" if value else "no"
        case FieldType.NUMBER, int() | Decimal() if not isinstance(value, bool):
            return str(value)
        case FieldType.TEXT, str() | RichText():
            return normal_text(str(value))
    raise ValueError(f"it takes a {type_.value}, not {type(value).__name__}")


def _choice_id(name: str, choices: Sequence[Choice]) -> str:
    for choice in choices:
        if choice.name == name and choice.id is not None:
            return choice.id
    raise LookupError(name)


def link_between(source: EntityRef, link_type: str, target: EntityRef) -> Link:
    """A link has no id of its own in Roundup: it is a value of the property `link_type`."""
    return Link(f"{source.id}:{link_type}:{target.id}", link_type, source, target)


def links_of(entity: Entity) -> tuple[Link, ...]:
    """What an entity's fields point at."""
    pairs = ((name, one) for name, value in entity.fields.items() for one in members(value))
    return tuple(
        link_between(entity.ref, name, EntityRef("", one.type, one.id)) for name, one in pairs if isinstance(one, Ref)
    )


def version_of(row: Mapping[str, Any], description: Message | None) -> str:
    """Changes with every edit. Roundup's own times have seconds only, and an edited message does not move them."""
    content = {name: value for name, value in row.items() if name != "link"}
    text = [description.id, description.text] if description else None
    return hashlib.blake2b(json.dumps([content, text], sort_keys=True).encode(), digest_size=16).hexdigest()


def normalised(value: Value) -> Value:
    """What Roundup does to every value: outer blanks and CR go, times lose their fraction."""
    match value:
        case RichText():
            return rich(value.canonical)
        case str():
            return normal_text(value)
        case datetime():
            return value.astimezone(UTC).replace(microsecond=0)
        case tuple():
            return tuple(normalised(member) for member in value)  # type: ignore[misc]
    return value


def addresses(row: Mapping[str, Any]) -> set[str]:
    """All mail addresses of a user, case-folded."""
    every = [row.get("address") or "", *re.split(r"\s+", row.get("alternate_addresses") or "")]
    return {address.strip().casefold() for address in every if address.strip()}


def _label(raw: Mapping[str, Any]) -> str | None:
    """A link shows its id, its address and, under whatever name, its label."""
    return next((str(value) for name, value in raw.items() if name not in ("id", "link") and value is not None), None)
