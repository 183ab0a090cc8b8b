"""The values that travel: entities, their fields, comments, attachments and links.

Rule of this file: everything is frozen, compares by meaning, and survives `decode(encode(value))`.
Labels (names, keys, ids of choices) do not take part in comparison where another attribute decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class EntityRef:
    """Where an entity lives. `type` and `id` identify it; `scope` (the project) may change, so it is a label.

    `id` is the immutable id of the system, as text. Keys that move with a project are no ids.
    """

    scope: str = field(compare=False)
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


@dataclass(frozen=True, slots=True)
class RichText:
    """Formatted text: `canonical` is Markdown with LF and no outer blanks; `original` is the system's dialect."""

    canonical: str
    original: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.canonical


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a look-up field. Compares by `name`, the text that people see and value tables name."""

    name: str
    id: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class UserRef:
    """A user of one system. Compares by `id`; the rest helps people and the user mapping.

    `email` is None where the system hides it, not where it is unknown to the connector.
    """

    id: str
    username: str | None = field(default=None, compare=False)
    email: str | None = field(default=None, compare=False)
    name: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.name or self.username or self.email or self.id


@dataclass(frozen=True, slots=True)
class Ref:
    """A field that points at another entity of the same system."""

    type: str
    id: str
    label: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.label or f"{self.type} {self.id}"


@dataclass(frozen=True, slots=True)
class Url:
    """An address. Compares by `href`."""

    href: str
    label: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.href


Scalar = None | str | bool | int | Decimal | date | datetime | RichText | Choice | UserRef | Ref | Url
Value = Scalar | tuple[Scalar, ...]
"""A canonical value. `None` is empty, and so are `""`, `RichText("")` and `()`; date-times are aware, UTC.
A field with several values is a tuple; its order carries no meaning."""

Fields = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity as its system holds it at one moment.

    `version` is any text that changes whenever the entity changes (ETag, revision, modified time).
    `modified`, `created`: aware, UTC; None where the system has no such time.
    `modified_by` is who made the last change, where the system says so.
    `key` is the label people use (`FAL-12`, `#12`); `url` is where a person opens it.
    `extra` is the connector's own luggage (etag, raw ids): opaque to everybody else.
    """

    ref: EntityRef
    fields: Fields
    version: str
    modified: datetime | None = None
    created: datetime | None = None
    modified_by: UserRef | None = None
    created_by: UserRef | None = None
    key: str | None = None
    url: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Gone:
    """The system says for certain that the entity no longer exists (or is retired). Absent from a list is not gone."""

    ref: EntityRef


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of an entity. `id` is empty on a draft that is not yet written.

    `kind` is `public` or `private`. `author` is a user of the system the comment is in.
    """

    id: str
    text: RichText
    author: UserRef | None = None
    created: datetime | None = None
    kind: str = "public"
    edited: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of an entity. `size` in bytes; `sha256` in hex where the system tells it."""

    id: str
    name: str
    size: int
    content_type: str | None = None
    sha256: str | None = None
    author: UserRef | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A typed link from one entity to another entity of the same system."""

    id: str
    type: str
    source: EntityRef
    target: EntityRef


@dataclass(frozen=True, slots=True)
class Edit:
    """One past change of one field, as the system's own history tells it."""

    field: str
    at: datetime
    by: UserRef | None
    before: Value = None
    after: Value = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of changes, oldest change first. `server_time` is the system's clock when it answered (aware, UTC)."""

    entities: tuple[Entity, ...]
    server_time: datetime | None = None


def empty(value: Value) -> bool:
    """True for every way to say nothing: None, blank text, no members."""
    if isinstance(value, RichText):
        value = value.canonical
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, tuple) and not value)


def same(a: Value, b: Value) -> bool:
    """Equal in meaning: all empties are equal, sets ignore order, texts ignore line-end style and outer blanks."""
    # Nearly all that is compared is equal to the letter. Members are not told here: (1,) == (True,) in Python.
    if a is b or (type(a) is type(b) is not tuple and a == b):
        return True
    if empty(a) or empty(b):
        return empty(a) and empty(b)
    if isinstance(a, tuple) or isinstance(b, tuple):
        return set(map(_comparable, members(a))) == set(map(_comparable, members(b)))
    return _comparable(a) == _comparable(b)


def members(value: Value) -> tuple[Scalar, ...]:
    """The members of a value: of a tuple its own, of a single value that one, of an empty one none."""
    if isinstance(value, tuple):
        return value
    return () if empty(value) else (value,)


def normal_text(text: str) -> str:
    """Line ends as LF, outer blanks gone: what nearly every system does to a text."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _comparable(value: Scalar) -> object:
    if isinstance(value, RichText):
        return normal_text(value.canonical)
    if isinstance(value, str):
        return normal_text(value)
    # True == 1 in Python; to a tracker they are different things.
    return (bool, value) if isinstance(value, bool) else value


def encode(value: Value) -> Any:
    """A value as JSON: text, booleans, integers and null as they are, the rest tagged `{"<tag>": …}`."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, tuple):
        return [encode(member) for member in value]
    for tag, (kind, write, _) in _CODECS.items():
        if type(value) is kind:
            return {tag: write(value)}
    raise TypeError(f"{type(value).__name__} is not a canonical value")


def decode(data: Any) -> Value:
    """The inverse of `encode`. Raises ValueError on an unknown tag."""
    if isinstance(data, list):
        return tuple(decode(member) for member in data)  # type: ignore[misc]
    if isinstance(data, dict):
        ((tag, content),) = data.items()
        if tag not in _CODECS:
            raise ValueError(f"unknown value tag {tag!r}")
        return _CODECS[tag][2](content)  # type: ignore[no-any-return]
    return data  # type: ignore[no-any-return]


def utc(moment: datetime) -> datetime:
    """The moment in UTC. Raises ValueError for a naive one: a time without zone is a guess."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(UTC)


_CODECS: dict[str, tuple[type, Any, Any]] = {
    "rich": (RichText, lambda v: [v.canonical, v.original], lambda c: RichText(*c)),
    "choice": (Choice, lambda v: [v.name, v.id], lambda c: Choice(*c)),
    "user": (UserRef, lambda v: [v.id, v.username, v.email, v.name], lambda c: UserRef(*c)),
    "ref": (Ref, lambda v: [v.type, v.id, v.label], lambda c: Ref(*c)),
    "url": (Url, lambda v: [v.href, v.label], lambda c: Url(*c)),
    "decimal": (Decimal, str, Decimal),
    "datetime": (datetime, lambda v: v.isoformat(), datetime.fromisoformat),
    "date": (date, lambda v: v.isoformat(), date.fromisoformat),
}

VALUE_TAGS = frozenset(_CODECS)
"""The tags by which encoded values are recognised."""
