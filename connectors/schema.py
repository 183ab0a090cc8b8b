"""What an entity type looks like: fields, their types, and what may be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from connectors.entity import Choice


class FieldType(StrEnum):
    """The canonical types of SPEC B8. Fields with several values are the same types with `multiple=True`."""

    TEXT = "text"
    RICH_TEXT = "rich_text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    USER = "user"
    LINK = "link"
    URL = "url"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One field. `name` is the name in the system's own API (custom fields: the name people see).

    `choices`: the allowed values of a CHOICE field, None where the system does not list them.
    `on_create`, `on_update`: whether it can be written then. A field with neither is read only.
    `required`: a create without it is refused. `max_length` in characters.
    """

    name: str
    type: FieldType
    label: str = ""
    multiple: bool = False
    required: bool = False
    on_create: bool = True
    on_update: bool = True
    choices: tuple[Choice, ...] | None = None
    max_length: int | None = None

    @property
    def read_only(self) -> bool:
        return not (self.on_create or self.on_update)


@dataclass(frozen=True, slots=True)
class EntitySchema:
    """One entity type of one scope, with every field that `Entity.fields` may carry."""

    type: str
    fields: dict[str, FieldSchema] = field(default_factory=dict)

    @classmethod
    def of(cls, type: str, *fields: FieldSchema) -> EntitySchema:
        return cls(type, {f.name: f for f in fields})
